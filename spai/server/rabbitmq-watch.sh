#!/bin/sh
# Ends RabbitMQ on this node when it has been unwell for two minutes, so that systemd starts it again: after a partition,
# version 3.10 sometimes hangs as it stops, or sees the partition for ever. A node that others do not reach is well.
# Runs as the user rabbitmq: sh rabbitmq-watch.sh PID-FILE.
set -u
unwell=0
while sleep 15; do
    partitions=$(timeout 10 rabbitmqctl --longnames --quiet eval 'rabbit_node_monitor:partitions().' 2>/dev/null)
    if [ "$partitions" = "[]" ]; then
        unwell=0
        continue
    fi
    unwell=$((unwell + 1))
    if [ "$unwell" -ge 8 ]; then
        echo "RabbitMQ is ended after two minutes; partitions: ${partitions:-no answer}"
        kill -KILL "$(cat "$1")"
        unwell=0
    fi
done
