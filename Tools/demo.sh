#!/usr/bin/env bash
# Restores a sample image through the daemon, in a state folder of its own, and scores the result.
#   DKP_DEMO_STATE     the folder (default: demo-state in the checkout; made anew)
#   DKP_DEMO_STEPS     steps of the search for the kernel (default 100: fewer than the preset's)
#   DKP_DEMO_SIZE      rows and columns of the sample, a multiple of 4 (default 160)
#   DKP_DEMO_PROGRAMS  where dkp and dkpd are (default: .build/release)
set -euo pipefail
cd "$(dirname "$0")/.."

state=${DKP_DEMO_STATE:-$PWD/demo-state}
steps=${DKP_DEMO_STEPS:-100}
size=${DKP_DEMO_SIZE:-160}
bin=${DKP_DEMO_PROGRAMS:-$PWD/.build/release}
time_limit=900
daemon=

say() { printf '%s\n' "$*"; }
fail() {
    printf 'demo: %s\n' "$*" >&2
    [[ ! -s "$state/dkpd.log" ]] || { printf 'demo: the end of %s:\n' "$state/dkpd.log"; tail -n 15 "$state/dkpd.log"; } >&2
    exit 1
}
daemon_runs() { [[ -n "$daemon" ]] && kill -0 "$daemon" 2>/dev/null; }
stop_daemon() {
    local status=0
    if [[ -n "$daemon" ]]; then
        kill -TERM "$daemon" 2>/dev/null || true
        wait "$daemon" || status=$?
        daemon=
    fi
    return $status
}
trap 'stop_daemon || true' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

# A string or number of a flat JSON file, by its key.
value() {
    sed -n -e "s/.*\"$2\"[[:space:]]*:[[:space:]]*\"\(\([^\"\\\\]\|\\\\.\)*\)\".*/\1/p" \
        -e "s/.*\"$2\"[[:space:]]*:[[:space:]]*\([-+.0-9eE]\{1,\}\).*/\1/p" "$1" 2>/dev/null | head -n 1
}

[[ -x $bin/dkp && -x $bin/dkpd ]] || fail "no programs in $bin: run make build"
if [[ -e $state ]]; then
    [[ -e $state/.dkp-demo ]] || fail "$state is there and was not made by this script: name another with DKP_DEMO_STATE"
    rm -rf "$state"
fi
mkdir -p "$state"
state=$(cd "$state" && pwd)
touch "$state/.dkp-demo"

say "1. A sample scene of $size x $size pixels, blurred with a kernel that dkpd is not told, every fourth pixel kept:"
"$bin/dkp" sample-scene "$state/truth.png" --size "${size}x$size" >/dev/null
"$bin/dkp" degrade "$state/truth.png" --output "$state/scene.png" --scale 4 --kernel gaussian --seed 1 \
    --save-kernel "$state/truth.kernel.h5" >/dev/null
say "   $state/scene.png"

say "2. The daemon, with $steps steps to find the kernel (fewer than a restoration for use takes):"
cat >"$state/dkpd.yaml" <<EOF
state_dir: "$state"
rescan_interval: 1
restoration:
  scale: 4
  kernel: gaussian
  steps: $steps
EOF
"$bin/dkpd" --config "$state/dkpd.yaml" >"$state/dkpd.log" 2>&1 &
daemon=$!
for _ in {1..100}; do
    [[ ! -d $state/inbox ]] || break
    daemon_runs || fail "the daemon ended at once"
    sleep 0.1
done
[[ -d $state/inbox ]] || fail "the daemon made no inbox in 10 s"
say "   pid $daemon, log in $state/dkpd.log"

say "3. The image dropped into $state/inbox:"
cp "$state/scene.png" "$state/inbox/scene.png"
result=$state/outbox/scene
shown=
started=$SECONDS
while [[ ! -d $result ]]; do
    [[ ! -d $state/rejected/scene ]] || fail "rejected: $(value "$state/rejected/scene/error.json" message)"
    daemon_runs || fail "the daemon ended"
    ((SECONDS - started < time_limit)) || fail "no result in $time_limit s"
    for progress in "$state"/jobs/*/progress.json; do
        [[ -f $progress ]] || continue
        line="   step $(value "$progress" step) of $(value "$progress" total), $((SECONDS - started)) s"
        if [[ -t 1 ]]; then
            printf '\r%s ' "$line"
        elif [[ -z $shown ]] || ((SECONDS - shown >= 10)); then
            say "$line"
            shown=$SECONDS
        fi
    done
    sleep 0.5
done
[[ ! -t 1 ]] || printf '\r'
say "   restored in $((SECONDS - started)) s: $result"

stop_daemon || fail "the daemon, asked to stop, ended with status $?"
say "4. The daemon stopped cleanly. The scores, against the truth (luma PSNR; kernel PSNR):"
"$bin/dkp" evaluate "$result/restored.png" "$state/truth.png" --scale 4 --input "$state/scene.png" \
    --kernel "$result/result.h5" --reference-kernel "$state/truth.kernel.h5" --json >"$state/scores.json" ||
    fail "dkp evaluate failed on $result/restored.png"
decibels() { LC_ALL=C printf '%.2f dB' "$(value "$state/scores.json" "$1")"; }
say "   bicubic enlargement   $(decibels bicubic_psnr)"
say "   restored              $(decibels psnr)"
say "   kernel                $(decibels kernel_psnr)"
say "   look at $result/figure.png"
