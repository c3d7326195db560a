#!/bin/sh
# Installs the executable of model-sync on Linux and macOS:
#
#     sh install.sh                                      # the newest release, to ~/.local/bin (as root: /usr/local/bin)
#     sh install.sh --version 0.1.0 --prefix /opt/tools  # this release, to /opt/tools/bin
#
# The archive is compared with SHA256SUMS of the release before anything is replaced. Then one rename puts the program
# in its place. An interrupted installation leaves the old program.
set -eu

# The page of the releases: https://github.com/OWNER/REPOSITORY/releases. The release workflow writes it into the copy
# that it publishes.
DEFAULT_RELEASES=''

# Larger than any archive of a release, which has about 50 MB.
BYTES_MAX=300000000

usage() {
  cat <<'END'
Installs the executable of model-sync.

Usage: sh install.sh [options]

  --version VERSION  The release to install (default: the newest one)
  --prefix DIR       Install to DIR/bin (default: ~/.local; as root: /usr/local)
  --quiet            Print only errors
  -h, --help         Print this help

MODEL_SYNC_RELEASES replaces the page of the releases, https://github.com/OWNER/REPOSITORY/releases.
END
}

say() {
  [ "$quiet" = yes ] || printf '%s\n' "$1"
}

# fail MESSAGE HINT
fail() {
  printf 'error: %s\n' "$1" >&2
  [ $# -lt 2 ] || printf 'next:  %s\n' "$2" >&2
  exit 1
}

has() {
  command -v "$1" >/dev/null 2>&1
}

parse_options() {
  while [ $# -gt 0 ]; do
    case $1 in
      --version=*) version=${1#*=} ;;
      --prefix=*) prefix=${1#*=} ;;
      --version | --prefix)
        [ $# -ge 2 ] || fail "Cannot use $1: it needs a value" 'see sh install.sh --help'
        if [ "$1" = --version ]; then version=$2; else prefix=$2; fi
        shift
        ;;
      --quiet) quiet=yes ;;
      -h | --help)
        usage
        exit 0
        ;;
      *) fail "Unknown option $1" 'see sh install.sh --help' ;;
    esac
    shift
  done
  version=${version#v}
  case $version in
    *[!0-9A-Za-z.+-]*) fail "Cannot use --version $version: it is not a version" 'use a version such as 0.1.0' ;;
  esac
  [ -n "$prefix" ] || fail 'Cannot find your home folder: HOME is not set' 'name a folder with --prefix'
}

check_releases() {
  releases=${releases%/}
  case $releases in
    '')
      fail 'This copy of install.sh does not know the page of the releases' \
        'download install.sh from a release, or set MODEL_SYNC_RELEASES=https://github.com/OWNER/REPOSITORY/releases'
      ;;
    https://*) protocols='=https' ;;
    # Only this machine can read and change what is sent.
    http://127.0.0.1:* | http://localhost:*) protocols='=http,https' ;;
    *) fail "Cannot use MODEL_SYNC_RELEASES=$releases: it has to begin with https://" ;;
  esac
}

# Sets platform, as the archives are named.
find_platform() {
  system=$(uname -s)
  machine=$(uname -m)
  case $system in
    Linux) os=linux ;;
    Darwin) os=macos ;;
    MINGW* | MSYS* | CYGWIN*) fail 'This is Windows' 'use install.ps1 in PowerShell' ;;
    *) fail "There is no executable for $system" 'run model-sync from a clone; see "Install" in its README' ;;
  esac
  case $machine in
    x86_64 | amd64) arch=x64 ;;
    aarch64 | arm64) arch=arm64 ;;
    *) fail "There is no executable for $system on $machine" 'run model-sync from a clone; see "Install" in its README' ;;
  esac
  # A shell under Rosetta says x86_64 on an Apple processor.
  if [ "$os" = macos ] && [ "$(sysctl -n hw.optional.arm64 2>/dev/null || :)" = 1 ]; then arch=arm64; fi
  platform=$os-$arch
}

find_programs() {
  if has curl; then
    downloader=curl
  elif has wget; then
    downloader=wget
  else
    fail 'Cannot download: neither curl nor wget is installed' 'install one of them'
  fi
  if has sha256sum; then
    hasher='sha256sum'
  elif has shasum; then
    hasher='shasum -a 256'
  elif has openssl; then
    hasher='openssl dgst -sha256 -r'
  else
    fail 'Cannot check the download: sha256sum, shasum and openssl are missing' 'install one of them'
  fi
  for program in tar gzip mktemp; do
    has "$program" || fail "Cannot unpack the download: $program is not installed" "install $program"
  done
}

# fetch ADDRESS FILE
fetch() {
  problem=
  if [ "$downloader" = curl ]; then
    # A connection that sends less than a byte a second for a minute is dead.
    status=$(curl --silent --show-error --fail --location --proto "$protocols" --proto-redir "$protocols" --tlsv1.2 \
      --retry 3 --connect-timeout 20 --speed-limit 1 --speed-time 60 --max-filesize "$BYTES_MAX" \
      --write-out '%{http_code}' --output "$2" "$1" 2>"$scratch/problem") || problem="$(tail -n 1 "$scratch/problem")"
    [ "$status" != 404 ] || fail "Cannot find $1" 'check the version, and the page of the releases'
  else
    wget -q -T 60 -O "$2" "$1" 2>"$scratch/problem" || problem="$(tail -n 1 "$scratch/problem") (wget)"
  fi
  [ -z "$problem" ] || fail "Cannot download $1: $problem" 'check the version and the network; the installed program is unchanged'
}

# Sets archive, hash and version from the checksums of the release.
choose_archive() {
  archive=
  while read -r sum name _; do
    name=${name#\*}
    case $name in
      model-sync-*"-$platform.tar.gz") ;;
      *) continue ;;
    esac
    found=${name#model-sync-}
    found=${found%"-$platform.tar.gz"}
    case $found in
      *[!0-9A-Za-z.+-]*) fail "Cannot use SHA256SUMS of the release: it names $name" ;;
    esac
    [ -z "$version" ] || [ "$version" = "$found" ] || continue
    [ -z "$archive" ] || fail "Cannot use SHA256SUMS of the release: it names two archives for $platform"
    archive=$name
    hash=$sum
  done <"$scratch/SHA256SUMS"
  [ -n "$archive" ] ||
    fail "The release has no checksum for an archive for $platform" 'choose another release with --version'
  version=${archive#model-sync-}
  version=${version%"-$platform.tar.gz"}
  case $hash in
    *[!0-9a-f]*) hash=invalid ;;
  esac
  [ ${#hash} -eq 64 ] || fail "Cannot use SHA256SUMS of the release: the checksum of $archive is damaged"
}

verify_archive() {
  # $hasher is a program with its options.
  # shellcheck disable=SC2086
  actual=$($hasher <"$scratch/$archive")
  actual=${actual%% *}
  [ "$actual" = "$hash" ] || fail \
    "The checksum of $archive does not match: it is $actual, SHA256SUMS says $hash" \
    'run this again; if it fails again, report it. The installed program is unchanged'
}

# Tries the program before it replaces the installed one.
try_program() {
  tar -xzf "$scratch/$archive" -C "$scratch" model-sync || fail "Cannot unpack $archive" 'check the free space with df -h'
  chmod 755 "$scratch/model-sync"
  said=$("$scratch/model-sync" --version 2>"$scratch/problem") || fail \
    "The executable does not run on this machine: $(head -n 1 "$scratch/problem")" \
    'on Linux it needs glibc 2.27 or later, which Alpine does not have; the installed program is unchanged'
  case $said in
    "model-sync $version "*) ;;
    *) fail "The executable says \"$said\", not version $version" ;;
  esac
}

# The files are in the folder of the program, so that the last step is a rename in one file system.
make_scratch() {
  bin=$prefix/bin
  if ! mkdir -p "$bin" 2>/dev/null || ! scratch=$(mktemp -d "$bin/.model-sync-install.XXXXXX" 2>/dev/null); then
    fail "Cannot write to $bin" 'run this with sudo, or choose a folder of yours with --prefix'
  fi
  # Absolute, for the lines that the user copies.
  bin=$(CDPATH='' cd "$bin" && pwd)
  scratch=$bin/${scratch##*/}
  trap 'rm -rf "$scratch"' EXIT
  trap 'exit 130' INT
  trap 'exit 143' TERM HUP
  # An installation that was killed an hour ago cannot remove its files any more.
  find "$bin" -maxdepth 1 -name '.model-sync-install.*' -mmin +60 -exec rm -rf {} + 2>/dev/null || :
}

# The launcher of `configs/install.ts` belongs to an installation, which that program removes.
refuse_other_files() {
  [ ! -d "$bin/model-sync" ] || fail "Cannot install: $bin/model-sync is a folder" 'move it, or choose another --prefix'
  if head -n 2 "$bin/model-sync" 2>/dev/null | grep -q 'Written by the installer of model-sync'; then
    fail "Cannot install: $bin/model-sync starts a clone" \
      'remove it first, as its first lines say, or choose another --prefix'
  fi
}

report() {
  say "installed $said"
  say "  $bin/model-sync"
  case ":${PATH:-}:" in
    *":$bin:"*)
      first=$(command -v model-sync || :)
      [ "$first" = "$bin/model-sync" ] || say "  warning: $first comes first in your PATH"
      ;;
    *) say "  add it to your PATH: export PATH=\"$bin:\$PATH\"" ;;
  esac
  say "  try it:      model-sync doctor"
  say "  remove it:   rm $bin/model-sync"
}

main() {
  quiet=no
  version=
  releases=${MODEL_SYNC_RELEASES:-$DEFAULT_RELEASES}
  prefix=${HOME:+$HOME/.local}
  [ "$(id -u)" -ne 0 ] || prefix=/usr/local
  parse_options "$@"
  check_releases
  find_platform
  find_programs
  make_scratch
  refuse_other_files
  if [ -z "$version" ]; then
    fetch "$releases/latest/download/SHA256SUMS" "$scratch/SHA256SUMS"
  else
    fetch "$releases/download/v$version/SHA256SUMS" "$scratch/SHA256SUMS"
  fi
  choose_archive
  say "downloading $archive"
  fetch "$releases/download/v$version/$archive" "$scratch/$archive"
  verify_archive
  try_program
  mv -f "$scratch/model-sync" "$bin/model-sync"
  report
}

# The last line: a script that arrived in part does nothing.
main "$@"
