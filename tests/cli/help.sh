#!/usr/bin/env bash
# shellcheck source-path=SCRIPTDIR source=check.sh
. "$(dirname "$0")/check.sh"

it 'kfrun help lists the commands'
exits 0 kfrun help
for command in train evaluate predict summary convert check data; do prints "^  $command "; done
complains_about_nothing

it 'kfrun --help is the same'
exits 0 kfrun --help
prints '^usage: kfrun COMMAND'

for command in train evaluate predict summary convert check data; do
    it "kfrun $command --help explains itself"
    exits 0 kfrun "$command" --help
    prints "^usage: kfrun $command"
    complains_about_nothing
    it "kfrun help $command is the same"
    exits 0 kfrun help "$command"
    prints "^usage: kfrun $command"
done

it 'kfrun train --help names every option of training'
exits 0 kfrun train --help
for option in group map scale prepare rows optimizer loss loss-weights metrics weighted-metrics \
    sample-weight-mode memory-limit exact-convolution validation-data class-weight early-stopping reduce-lr \
    terminate-on-nan callback csv tensorboard weights by-name skip-mismatch save json data-times verbose epochs \
    initial-epoch batch-size steps-per-epoch validation-split validation-steps shuffle \
    shuffle-window seed threads data-workers max-queue-size checkpoint checkpoint-batches \
    resume; do
    prints "^  --$option( |\$)"
done

it 'what the library takes stands in its own tables, with ranges and defaults'
prints '--batch-size N +samples in a batch; default 32$'
prints '--shuffle true\|batch\|false\|window'
exits 0 kfrun help optimizers
for name in SGD RMSprop Adagrad Adadelta Adam Adamax Nadam; do prints "^$name$"; done
prints '^  schedule_decay +a number, default 0.004: '
exits 0 kfrun help adam
prints '^  beta_2 +a number, default 0.999: '
exits 0 kfrun help callbacks
for name in CSVLogger EarlyStopping LearningRateScheduler ModelCheckpoint ReduceLROnPlateau \
    RemoteMonitor TensorBoard TerminateOnNaN; do
    prints "^$name$"
done
exits 0 kfrun help early_stopping
prints '^  patience +an integer, default 0: '
exits 0 kfrun help preparations
for name in scale standardise one_hot pad augment; do prints "^$name$"; done
exits 0 kfrun help losses
prints '^logcosh$'
exits 0 kfrun help metrics
prints '^top_k_categorical_accuracy$'
complains_about_nothing
exits 2 kfrun help adamant
complains "^kfrun: nothing is called 'adamant'"

it 'help goes into the commands of a command'
exits 0 kfrun help data info
prints '^usage: kfrun data info'

it 'the commands of kfrun data explain themselves'
exits 0 kfrun data import-idx --help
prints '^usage: kfrun data import-idx NAME=FILE'
exits 0 kfrun data info --help
prints '^usage: kfrun data info'

it 'kfrun --version says version and what runs'
exits 0 kfrun --version
prints '^kfrun [0-9]+\.[0-9]+'

it 'kfprof explains itself and says its version'
exits 0 kfprof --help
prints '^usage: kfprof MODEL'
exits 0 kfprof --version
prints '^kfprof [0-9]+\.[0-9]+'

it 'no command at all is a wrong usage'
exits 2 kfrun
complains '^kfrun: .*kfrun help'
prints_nothing

it 'an unknown command is named'
exits 2 kfrun trian
complains "^kfrun: unknown command 'trian'; did you mean train\\?"
exits 2 kfrun dance
complains "^kfrun: unknown command 'dance'; see"

it 'an unknown option is named'
exits 2 kfrun train a b --epoks 3
complains "^kfrun: unknown option '--epoks'; did you mean --epochs\\?"
exits 2 kfrun train a b --zzz
complains "^kfrun: unknown option '--zzz'; see"

it 'an option without its value is named'
exits 2 kfrun train a b --epochs
complains "'--epochs' needs a value"

it 'a flag with a value is refused'
exits 2 kfprof model.json --random=3
complains "'--random=3' takes no value"

it 'a missing argument is a wrong usage'
exits 2 kfrun train "$models/mlp.json"
complains 'expected kfrun train MODEL DATA'

it 'wrong values of options are explained'
exits 2 kfrun train a b --epochs many
complains "--epochs must be a whole number; got 'many'"
exits 2 kfrun train a b --batch-size 0
complains '--batch-size must be at least 1'
exits 2 kfrun train a b --epochs 3000000000
complains '--epochs: 3000000000 is too large'
exits 2 kfrun train a b --shuffle perhaps
complains '--shuffle must be one of true\|batch\|false'
exits 2 kfrun train a b --validation-split 1.5
complains '--validation-split must be between'
exits 2 kfrun train a b --verbose 3
complains '--verbose must be between 0 and 2'

it 'results that cannot be written are an input/output error'
if [ -w /dev/full ]; then
    status=0
    kfrun help >/dev/full 2>"$err" || status=$?
    holds test "$status" -eq 4
    complains '^kfrun: cannot write to standard output: No space left'
fi

finish
