#!/usr/bin/python3
"""The models of cases.c in PyTorch, as fast as it can be made to run them on a CPU.

    torch_cases.py CASE THREADS         answers lines as bench-model does (worker.c)
    torch_cases.py --tune CASE THREADS  tries all settings, prints their times, and ends

SETTINGS holds what --tune found best on the machines that this was tried on. Beyond those: two
shared layers are one call on both inputs together, gradients are freed and not zeroed, inference
keeps no trace for derivatives, small numbers count as zero, and memory once taken is kept.
"""
import os
import sys
import time

LIBRARIES = "/usr/lib/x86_64-linux-gnu/openblas-openmp"  # PyTorch's own threads are OpenMP's


def best_core():
    """OpenBLAS runs CPUs that it does not know on code for SSE3; kf corrects that too."""
    with open("/proc/cpuinfo") as file:
        flags = file.read().split()
    if "avx512bw" in flags:
        return "SkylakeX"
    return "Haswell" if "avx2" in flags else None


def start_again(threads):
    """These count from the start of a process only."""
    settings = {
        "KF_BENCH_PEER": "1",
        "OMP_NUM_THREADS": threads,
        "OPENBLAS_NUM_THREADS": threads,
        "LD_LIBRARY_PATH": LIBRARIES,
        "MALLOC_MMAP_MAX_": "0",
        "MALLOC_TRIM_THRESHOLD_": "20000000000",
        "MALLOC_TOP_PAD_": "67108864",
        "MALLOC_ARENA_MAX": "1",
    }
    if best_core():
        settings["OPENBLAS_CORETYPE"] = best_core()
    os.execve(sys.executable, [sys.executable, "-W", "ignore", *sys.argv], {**os.environ, **settings})


if "KF_BENCH_PEER" not in os.environ:
    start_again(sys.argv[-1])

import torch
from torch import nn
from torch.nn import functional as F


def peak_mb():
    with open("/proc/self/status") as file:
        return 1024e-6 * next(int(line.split()[1]) for line in file if line.startswith("VmHWM"))


IMPORT_MB = peak_mb()


def bits(*shape):
    return torch.randint(0, 2, shape).float()


def floats(*shape):
    return 2 * torch.rand(shape) - 1


def numbers(below, *shape):
    return torch.randint(0, below, shape)


def relu():
    return nn.ReLU(inplace=True)


def last_state(lstm, x):
    """What an LSTM knows after its last step; x is (time, batch, features)."""
    return lstm(x)[1][0][0]


def mlp():
    return nn.Sequential(nn.Linear(784, 64), relu(), nn.Linear(64, 64), relu(), nn.Linear(64, 10))


class Headline(nn.Module):
    def __init__(self):
        super().__init__()
        self.words, self.read = nn.Embedding(10000, 512), nn.LSTM(512, 32)
        self.aux = nn.Linear(32, 1)
        self.main = nn.Sequential(nn.Linear(37, 64), relu(), nn.Linear(64, 64), relu(),
                                  nn.Linear(64, 64), relu(), nn.Linear(64, 1))

    def forward(self, words, facts):
        read = last_state(self.read, self.words(words))
        return self.main(torch.cat([read, facts], 1)), self.aux(read)


class SharedLSTM(nn.Module):
    def __init__(self):
        super().__init__()
        self.read, self.like = nn.LSTM(256, 64), nn.Linear(128, 1)

    def forward(self, a, b):
        read = last_state(self.read, torch.cat([a, b], 1))
        return self.like(torch.cat(read.split(a.shape[1]), 1))


class Inception(nn.Module):
    def __init__(self):
        super().__init__()
        self.a = nn.Sequential(nn.Conv2d(3, 64, 1), relu(), nn.Conv2d(64, 64, 3, padding=1), relu())
        self.b = nn.Sequential(nn.Conv2d(3, 64, 1), relu(), nn.Conv2d(64, 64, 5, padding=2), relu())
        self.c = nn.Sequential(nn.MaxPool2d(3, 1, 1), nn.Conv2d(3, 64, 1), relu())
        self.label = nn.Linear(192, 10)

    def forward(self, image):
        return self.label(torch.cat([self.a(image), self.b(image), self.c(image)], 1).mean((2, 3)))


class Residual(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 3, 3, padding=1)

    def forward(self, image):
        return image + self.conv(image)


class SharedVision(nn.Module):
    def __init__(self):
        super().__init__()
        self.see = nn.Sequential(nn.Conv2d(1, 64, 3), nn.Conv2d(64, 64, 3), nn.MaxPool2d(2),
                                 nn.Flatten())
        self.same = nn.Linear(2 * 64 * 11 * 11, 1)

    def forward(self, a, b):
        seen = self.see(torch.cat([a, b], 0))
        return self.same(torch.cat(seen.split(a.shape[0]), 1))


def vision():
    layers, before = [], 3
    for filters, convolutions in ((64, 2), (128, 2), (256, 3)):
        for i in range(convolutions):
            layers += [nn.Conv2d(before, filters, 3, padding=1 if i == 0 else 0), relu()]
            before = filters
        layers += [nn.MaxPool2d(2)]
    return nn.Sequential(*layers, nn.Flatten())


class ImageQuestion(nn.Module):
    def __init__(self):
        super().__init__()
        self.see, self.words, self.read = vision(), nn.Embedding(10000, 256), nn.LSTM(256, 256)
        self.answer = nn.Linear(160256, 1000)

    def forward(self, image, words):
        read = last_state(self.read, self.words(words))
        return self.answer(torch.cat([self.see(image), read], 1))


class VideoQuestion(nn.Module):
    """One video: its frames are the batch of the vision model."""

    def __init__(self):
        super().__init__()
        self.see, self.words, self.read = vision(), nn.Embedding(10000, 256), nn.LSTM(256, 256)
        self.watch, self.answer = nn.LSTM(160000, 256), nn.Linear(512, 1000)

    def forward(self, frames, words):
        watched = last_state(self.watch, self.see(frames)[:, None, :])
        return self.answer(torch.cat([watched, last_state(self.read, self.words(words))], 1))


def fashion():
    return nn.Sequential(nn.Conv2d(1, 32, 3), relu(), nn.Conv2d(32, 64, 3), relu(), nn.MaxPool2d(2),
                         nn.Flatten(), nn.Linear(9216, 128), relu(), nn.Linear(128, 10))


def answer_is_one_of(n, batch):
    target = numbers(n, batch)
    return lambda output: F.cross_entropy(output, target)


def answer_is_yes_or_no(batch):
    target = bits(batch, 1)
    return lambda output: F.binary_cross_entropy_with_logits(output, target)


def two_answers(batch):
    main = answer_is_yes_or_no(batch)
    return lambda outputs: main(outputs[0]) + 0.2 * main(outputs[1])


def image_like(target):
    return lambda output: F.mse_loss(output, target)


CASES = {  # name: the model, its inputs, the loss of its outputs
    "a32": lambda: (mlp(), [floats(32, 784)], answer_is_one_of(10, 32)),
    "a128": lambda: (mlp(), [floats(128, 784)], answer_is_one_of(10, 128)),
    "b": lambda: (Headline(), [numbers(10000, 100, 32), floats(32, 5)], two_answers(32)),
    "c": lambda: (SharedLSTM(), [bits(140, 32, 256), bits(140, 32, 256)], answer_is_yes_or_no(32)),
    "d": lambda: (Inception(), [floats(8, 3, 256, 256)], answer_is_one_of(10, 8)),
    "e": lambda: (Residual(), [floats(8, 3, 256, 256)], image_like(floats(8, 3, 256, 256))),
    "f": lambda: (SharedVision(), [floats(32, 1, 27, 27), floats(32, 1, 27, 27)],
                  answer_is_yes_or_no(32)),
    "g": lambda: (ImageQuestion(), [floats(4, 3, 224, 224), numbers(10000, 100, 4)],
                  answer_is_one_of(1000, 4)),
    "h": lambda: (VideoQuestion(), [floats(8, 3, 224, 224), numbers(10000, 100, 1)],
                  answer_is_one_of(1000, 1)),
    "i": lambda: (fashion(), [floats(128, 1, 28, 28)], answer_is_one_of(10, 128)),
}

# channels last in memory; RMSprop over lists of weights at once; inference as it is, traced and
# frozen, or also optimised for inference. (Scripting the model for training never helped.)
PLAIN = {"last": False, "foreach": False, "infer": "none"}
LAST = {**PLAIN, "last": True}
SETTINGS = {
    "a32": {**PLAIN, "infer": "optimize"},
    "a128": {**PLAIN, "infer": "optimize"},
    "b": PLAIN,
    "c": PLAIN,
    "d": LAST,
    "e": LAST,
    "f": {**LAST, "infer": "optimize"},
    "g": LAST,
    "h": LAST,
    "i": {**LAST, "foreach": True, "infer": "optimize"},
}


class Subject:
    def __init__(self, case, settings):
        torch.manual_seed(1)
        self.model, self.inputs, loss_of = CASES[case]()
        if settings["last"]:
            self.model = self.model.to(memory_format=torch.channels_last)
            self.inputs = [self.in_channels_last(x) for x in self.inputs]
        self.loss_of = loss_of
        self.how_to_infer, self.inferring = settings["infer"], None
        self.optimizer = torch.optim.RMSprop(self.model.parameters(), lr=1e-5, alpha=0.9, eps=1e-7,
                                             foreach=settings["foreach"])

    @staticmethod
    def in_channels_last(x):
        return x.to(memory_format=torch.channels_last) if x.dim() == 4 else x

    def train(self):
        self.optimizer.zero_grad(set_to_none=True)
        self.loss_of(self.model(*self.inputs)).backward()
        self.optimizer.step()

    def prepare_inference(self):
        """A frozen copy would show weights of another moment: time does not depend on that."""
        if self.how_to_infer == "none":
            return self.model
        frozen = torch.jit.freeze(torch.jit.trace(self.model.eval(), self.inputs))
        self.model.train()
        return torch.jit.optimize_for_inference(frozen) if self.how_to_infer == "optimize" else frozen

    def infer(self):
        with torch.inference_mode():
            if self.inferring is None:
                self.inferring = self.prepare_inference()
            self.inferring(*self.inputs)


def measure(step, seconds):
    """Milliseconds of a step: the median of as many as fit."""
    times, begin = [], time.perf_counter()
    now = begin
    while not times or (now - begin < seconds and len(times) < 20000):
        step()
        end = time.perf_counter()
        times.append(1e3 * (end - now))
        now = end
    times.sort()
    return (times[(len(times) - 1) // 2] + times[len(times) // 2]) / 2


def serve(case):
    subject = Subject(case, SETTINGS[case])
    subject.train()
    for _ in range(3):  # the JIT watches two runs before it compiles
        subject.infer()
    print(f"ready import_mb={IMPORT_MB:.3f}", flush=True)
    for line in sys.stdin:
        question, seconds = line.split()
        step = {"train": subject.train, "infer": subject.infer}[question]
        print(f"ms={measure(step, float(seconds)):.6f}", flush=True)


def try_setting(case, settings, question, seconds):
    try:
        subject = Subject(case, settings)
        step = getattr(subject, question)
        for _ in range(3):
            step()
        print(f"{case} {question} {measure(step, seconds):10.3f} ms {settings}", flush=True)
    except Exception as error:  # not every model can be traced; the others go on
        print(f"{case} {question} fails {settings}: {str(error).splitlines()[0]}", flush=True)


def tune(case, seconds=1.0):
    layouts = (False, True) if case in "defghi" else (False,)
    for last in layouts:
        for foreach in (False, True):
            try_setting(case, {**PLAIN, "last": last, "foreach": foreach}, "train", seconds)
        for infer in ("none", "freeze", "optimize"):
            try_setting(case, {**PLAIN, "last": last, "infer": infer}, "infer", seconds)


def main():
    arguments = sys.argv[1:]
    torch.set_num_threads(int(arguments[-1]))
    torch.set_flush_denormal(True)
    if arguments[0] == "--tune":
        tune(arguments[1])
    else:
        serve(arguments[0])


if __name__ == "__main__":
    main()
