#!/bin/sh
# Runs the command, sends its output and its exit status to the host, and ends the machine. As process 1, or as the
# service vm-command of systemd.
#
# A port of the console can be opened once only; by way of pipes a script may write to /dev/stderr as it is used to.
mkfifo /run/vm-output /run/vm-errors
cat </run/vm-output >/dev/vport0p1 &
output=$!
cat </run/vm-errors >/dev/vport0p2 &
errors=$!
echo started >/dev/vport0p3
/bin/sh /run/vm/command </dev/null >/run/vm-output 2>/run/vm-errors
status=$?

# What the command has left running would keep the pipes open. Two rounds, since the first may have met a fork.
for _ in 1 2; do
    for folder in /proc/[0-9]*; do
        case " 1 $$ $output $errors " in
            *" ${folder#/proc/} "*) ;;
            *) kill -KILL "${folder#/proc/}" 2>/dev/null ;;
        esac
    done
done
wait "$output" "$errors"
echo "exit $status" >/dev/vport0p3
# QEMU's isa-debug-exit at port 0x501 ends the machine at once; an orderly power-off takes a second.
printf '\001' | dd of=/dev/port bs=1 seek=1281 conv=notrunc 2>/dev/null
echo o >/proc/sysrq-trigger
sleep 60
