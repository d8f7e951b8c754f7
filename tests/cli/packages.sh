#!/usr/bin/env bash
# What tools/setup.sh says about packages, with stand-ins for the programs that it asks.
# shellcheck source-path=SCRIPTDIR source=check.sh
. "$(dirname "$0")/check.sh"

mkdir bin
stand_in() { printf '#!/bin/bash\n%s\n' "$2" >"bin/$1" && chmod +x "bin/$1"; }
tools=(bash dirname env cat grep sed)
for tool in "${tools[@]}"; do ln -s "$(command -v "$tool")" "bin/$tool"; done

# "installed" lists what dpkg-query finds; apt-get install adds to it what the sources "offer".
stand_in dpkg-query '[[ " $(cat installed) " == *" ${@: -1} "* ]] && printf installed'
stand_in apt-cache '[[ " $(cat offered) " == *" ${@: -1} "* ]] && echo "$2 | 1 | somewhere"; true'
stand_in apt-get 'echo "apt-get $*"
    case " $* " in *" install "*) printf " %s" "${@: -2}" >>installed ;; esac'
stand_in id 'cat user'

need() {
    PATH=$work/bin bash -c ". $KF_SOURCE/tools/setup.sh; need_packages gcc cmake ninja-build && echo ready"
}

it 'with all packages there, apt is not touched'
echo 'gcc cmake ninja-build' >installed
echo 0 >user
exits 0 need
prints '^ready$'
holds test "$(grep -c apt-get "$out")" -eq 0

it 'what is missing is installed by root'
echo -n 'gcc' >installed
echo 'cmake ninja-build' >offered
exits 0 need
prints 'installing Debian packages: cmake ninja-build'
prints '^apt-get .*install cmake ninja-build'
prints '^ready$'

it 'a package that no source has is named'
echo -n 'gcc' >installed
echo 'cmake' >offered
exits 1 need
complains 'has: ninja-build$'

it 'neither root nor sudo is said, with the packages to ask for'
echo 1000 >user
exits 1 need
complains 'neither root nor sudo.*cmake ninja-build'

it 'a user with sudo installs through it'
echo 'cmake ninja-build' >offered
stand_in sudo 'echo "sudo $*"; exec "$@"'
exits 0 need
prints '^sudo env .*install cmake ninja-build'
prints '^ready$'

it 'an installation that fails names what is still missing'
echo -n 'gcc' >installed
stand_in apt-get 'exit 100'
exits 1 need
complains 'could not be installed: cmake ninja-build'

it 'a system without dpkg is told what is needed'
rm bin/dpkg-query
exits 1 need
complains 'not a Debian system.*gcc cmake ninja-build'

for script in demo test; do
    it "tools/$script explains itself and refuses unknown options"
    exits 0 bash "$KF_SOURCE/tools/$script" --help
    prints "^usage: tools/$script"
    exits 2 bash "$KF_SOURCE/tools/$script" --nonsense
    complains "unknown option --nonsense"
done

finish
