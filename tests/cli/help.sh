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
for option in epochs batch-size optimizer loss metrics validation-split validation-data shuffle \
    seed threads save verbose map group scale; do
    prints "^  --$option"
done

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
complains "^kfrun: unknown command 'trian'"

it 'an unknown option is named'
exits 2 kfrun train a b --epoks 3
complains "^kfrun: unknown option '--epoks'"

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
complains '--batch-size must be between 1 and'
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
