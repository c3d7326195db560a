#!/bin/sh
# The first process of a container. Starts the program that its arguments name, passes signals on to it, and ends with
# its exit code.
#
# When a process ends before the programs it started, Linux makes them children of the first process. They stay in the
# process table until that process waits for them. Deno waits only for programs that it started itself. A shell waits
# for all of its children.
set -u

program=
early=
pass_on() {
  if [ -n "$program" ]; then kill -s "$1" "$program" 2>/dev/null; else early=$1; fi
}
for signal in HUP TERM USR1 USR2; do trap "pass_on $signal" "$signal"; done
# A terminal sends these to the program, too. Passed on, they would count as a second signal, which ends it at once.
for signal in INT QUIT; do
  if [ -t 0 ]; then trap : "$signal"; else trap "pass_on $signal" "$signal"; fi
done

# A shell gives a program in the background no input unless it is redirected.
exec 3<&0
"$@" <&3 3<&- &
started=$!
exec 3<&-
# Until it runs its own program, the new process is a copy of this shell, and would lose a signal in its traps.
while cmp -s "/proc/$$/cmdline" "/proc/$started/cmdline"; do :; done
program=$started
[ -z "$early" ] || pass_on "$early"

# A signal ends the wait although the program still runs.
while :; do
  wait "$program"
  code=$?
  kill -0 "$program" 2>/dev/null || exit "$code"
done
