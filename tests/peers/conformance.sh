#!/usr/bin/env bash
# Runs every case of the Autobahn test suite against a gateway with compression on: how many behave how, and a failure where any
# does not behave as RFC 6455 and RFC 7692 say.
#
#     conformance.sh GATEWAY DIR [CASE ...]       GATEWAY: the binary; DIR: for the suite and its reports; CASE: as in "12.*"
set -euo pipefail

gateway=$(realpath "$1") dir=$(realpath -m "$2")
shift 2
"$(dirname "$(realpath "$0")")/conformance_setup.sh" "$dir"

run=$(mktemp -d)
trap 'kill "${pid:-}" 2>/dev/null || true; rm -rf "$run"' EXIT
mkdir "$run/plugins"
# The suite's longest messages are of 16 MiB, and one of 4 MiB is in frames of 64 bytes.
cat >"$run/weir.toml" <<'EOF'
[admin]
bind = "127.0.0.1:0"
[[listener]]
name = "conformance"
bind = "127.0.0.1:0"
protocol = "websocket"
compression = "permessage-deflate"
chain = []
route = "echo"
[listener.limits]
message = "16MiB"
queue = "16MiB"
# And an empty one behind the last.
fragments = 65_600
EOF
(cd "$run" && exec "$gateway" run -c weir.toml >/dev/null 2>log) &
pid=$!
address=
for _ in $(seq 100); do
  address=$(sed -n 's/.*"address":"\([0-9.:]*\)".*"listener":"conformance".*/\1/p; s/.*"listener":"conformance".*"address":"\([0-9.:]*\)".*/\1/p' "$run/log" | head -1)
  [[ -n $address ]] && break
  sleep 0.1
done
[[ -n $address ]] || { cat "$run/log" >&2; exit 1; }

cases=$(printf '"%s",' "${@:-*}")
rm -rf "$dir/reports"
cat >"$run/spec.json" <<EOF
{"outdir": "$dir/reports", "servers": [{"agent": "weir", "url": "ws://$address/", "options": {"version": 18}}],
 "cases": [${cases%,}], "exclude-cases": [], "exclude-agent-cases": {}}
EOF
echo "running the cases against ws://$address/ (the reports are in $dir/reports)"
(cd "$run" && "$dir/wstest" -m fuzzingclient -s spec.json >suite.log 2>&1) || { tail -20 "$run/suite.log" >&2; exit 1; }
kill -0 "$pid" || { echo "the gateway has ended" >&2; cat "$run/log" >&2; exit 1; }

python3 - "$dir/reports/index.json" <<'EOF'
import collections, json, sys

results = json.load(open(sys.argv[1]))["weir"]
groups = collections.defaultdict(collections.Counter)
closes, failed = collections.Counter(), []
for case, result in results.items():
    groups[int(case.split(".")[0])][result["behavior"]] += 1
    closes[result["behaviorClose"]] += 1
    if {"FAILED", "UNCLEAN", "WRONG CODE"} & {result["behavior"], result["behaviorClose"]}:
        failed.append((case, result["behavior"], result["behaviorClose"]))
for group, counts in sorted(groups.items()):
    print(f"  {group:3}:", ", ".join(f"{count} {name}" for name, count in counts.most_common()))
total = sum(groups.values(), collections.Counter())
print(f"{len(results)} cases:", ", ".join(f"{count} {name}" for name, count in total.most_common()))
print("closing:", ", ".join(f"{count} {name}" for name, count in closes.most_common()))
for case, behavior, closing in failed:
    print(f"  {case}: {behavior}, closing {closing}")
sys.exit(1 if failed or not results else 0)
EOF
