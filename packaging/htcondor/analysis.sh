#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# What analysis.sub runs: one program with a mount that it alone sees.
set -eu

# All of it in the job's own directory: the home directory of a batch job may
# be missing, or on a network.
scratch=$_CONDOR_SCRATCH_DIR
mkdir -p "$scratch/data" "$scratch/bearerfs-unsent"

# It ends with the program's status, or with 74 when the program was done and
# a result was not sent. Signals are passed on. With HTCondor's token in
# $_CONDOR_CREDS nothing has to be said about it.
exec "$scratch/bearerfs" exec https://origin.example.org/ "$scratch/data" \
    -o rw,cache_dir="$scratch/cache",cache_size=10G \
    -o spool_dir="$scratch/spool",timeout=120s -- \
    "$scratch/analyse" "$scratch/data/ligo/frames/$1.h5" \
    "$scratch/data/home/ada/analysis/$1.h5"
