"""Reads Keras files as h5py shows them to Keras 2.2.4: names, attributes and arrays in their places.

    read_with_h5py.py FILE…
"""
import json
import sys

import h5py
import numpy as np


def text(value):
    # Keras 2.2.4 calls .decode: with h5py 3 only fixed-length strings are bytes
    assert isinstance(value, np.bytes_), f"{value!r} is no fixed-length string"
    return value.decode("ascii")


def names(group, key):
    if key not in group.attrs:
        parts = []
        while f"{key}{len(parts)}" in group.attrs:
            parts.append(group.attrs[f"{key}{len(parts)}"])
        assert parts, f"{group.name} has no {key}"
        value = np.concatenate(parts)
    else:
        value = group.attrs[key]
    if value.size == 0:
        assert value.dtype == np.float64 and value.shape == (0,)
        return []
    assert value.dtype.kind == "S" and value.ndim == 1
    return [name.decode("ascii") for name in value]


def check_weights(group, dtype=np.float32):
    for name in names(group, "weight_names"):
        array = group[name]
        assert isinstance(array, h5py.Dataset), name
        assert array.dtype == dtype or (name.endswith("iterations:0") and array.dtype == np.int64)
        assert array.chunks is None and array.compression is None, name
        array[()]


def check_layers(group):
    assert text(group.attrs["backend"]) == "tensorflow"
    assert text(group.attrs["keras_version"]) == "2.2.4"
    layers = names(group, "layer_names")
    assert sorted(layers) == sorted(k for k in group if isinstance(group[k], h5py.Group))
    for name in layers:
        check_weights(group[name])
    return layers


def check(path):
    with h5py.File(path, "r") as file:
        if "model_weights" not in file:
            check_layers(file)
            return
        config = json.loads(text(file.attrs["model_config"]))
        layers = check_layers(file["model_weights"])
        listed = [layer["config"]["name"] for layer in config["config"]["layers"]]
        assert [name for name in listed if name in layers] == layers, (listed, layers)
        if "training_config" in file.attrs:
            training = json.loads(text(file.attrs["training_config"]))
            assert list(training) == ["optimizer_config", "loss", "metrics", "sample_weight_mode",
                                      "loss_weights"]
        if "optimizer_weights" in file:
            check_weights(file["optimizer_weights"])


for name in sys.argv[1:]:
    try:
        check(name)
    except Exception as error:
        sys.exit(f"{name}: {type(error).__name__}: {error}")
