#!/bin/sh
# The build command for platforms that build without a Dockerfile. It installs model-sync beside the backend and pulls
# the models, so that a fresh disk has them even if the hub is unreachable later. Needs git and Node.
#
# Set PROGRAM_REPOSITORY to the address of model-sync's repository.
set -eu
rm -rf program
git clone --quiet --depth 1 "$PROGRAM_REPOSITORY" program
(cd program && npx -y deno@2.9.6 -A configs/install.ts --prefix "$PWD/installed")
PATH="$PWD/program/installed/bin:$PATH"
model-sync hf-pull --offline-ok
