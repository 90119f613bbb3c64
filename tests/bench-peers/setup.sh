#!/usr/bin/env bash
# Puts the peers that Weir is compared with into target/peers: `setup.sh [PIECE …]`, without a piece all of them.
#
# Nothing is installed into the system and nothing is started: Debian's packages are only unpacked. A peer that cannot be had is left
# out: the reason goes into target/peers/missing/PIECE, and the page says it.
set -uo pipefail
cd "$(dirname "$0")/../.."
root=$PWD
here=$root/tests/bench-peers
peers=$root/target/peers
mkdir -p "$peers/missing" "$peers/log" "$peers/debs" "$peers/debian"

# Debian's packages, each with what it needs and this system does not have.
debian() {
  command -v apt-get >/dev/null || { echo "these are Debian's packages, and there is no apt-get"; return 1; }
  local package
  for package in "$@"; do
    [ -e "$peers/debian/.$package" ] && continue
    if ! apt-cache show "$package" >/dev/null 2>&1; then
      [ "$(id -u)" = 0 ] && apt-get update -q
      apt-cache show "$package" >/dev/null 2>&1 || { echo "Debian's lists do not have $package; run: apt-get update"; return 1; }
    fi
    local needed
    needed=$(apt-get install --print-uris -qq -y --no-install-recommends "$package" | awk '{ print $2 }' | cut -d_ -f1)
    (cd "$peers/debs" && apt-get download -q $(printf '%s\n' "$package" $needed | sort -u)) || return 1
    local name
    for name in $(printf '%s\n' "$package" $needed | sort -u); do
      dpkg -x "$(ls -t "$peers/debs/${name}"_*.deb | head -1)" "$peers/debian" || return 1
    done
    touch "$peers/debian/.$package"
  done
}

nats()      { debian nats-server; }
haproxy()   { debian haproxy lua-cjson; }
nginx()     { debian nginx libnginx-mod-stream libnginx-mod-stream-js; }
caddy()     { debian caddy; }
mosquitto() { debian mosquitto; }
pushpin()   { debian pushpin; }

# bun and ws, from npm.
npm_peers() {
  command -v npm >/dev/null || { echo "npm is missing; install Debian's nodejs and npm"; return 1; }
  mkdir -p "$peers/node"
  cmp -s "$here/package.json" "$peers/node/package.json" && [ -x "$peers/node/node_modules/.bin/bun" ] && return 0
  cp "$here/package.json" "$peers/node/"
  npm install --prefix "$peers/node" --no-audit --no-fund
}

# From crates.io, each in a directory of its own, so that one that does not build takes no other with it.
cargo_peer() {
  cargo build --release --locked --manifest-path "$here/native/$1/Cargo.toml" --target-dir "$peers/native/$1"
}
guest_of() {
  rustup target list --installed 2>/dev/null | grep -q '^wasm32-unknown-unknown$' || rustup target add wasm32-unknown-unknown || return 1
  cargo build --release --target wasm32-unknown-unknown --manifest-path "$here/native/$1/Cargo.toml" --target-dir "$peers/native/$1"
}
weir_filter()   { guest_of weir-filter; }
# With the tools of Debian's packages that were unpacked for it.
with_tools() { PATH=$PATH:$peers/debian/usr/bin LD_LIBRARY_PATH=$peers/debian/usr/lib/x86_64-linux-gnu "$@"; }
# Its zlib is built by cmake.
pingora() {
  command -v cmake >/dev/null || debian cmake || return 1
  with_tools cargo_peer pingora
}
native_filter() { cargo_peer native-filter; }
extism()        { guest_of extism-guest && cargo_peer extism; }
fluvio()        { guest_of fluvio-guest && cargo_peer fluvio; }
sockudo() {
  # One of its metrics' crates compiles a schema of Protocol Buffers.
  command -v protoc >/dev/null || debian protobuf-compiler libprotobuf-dev || return 1
  # Without what it can do beyond this workload: clusters, push, traces.
  with_tools cargo install --locked --quiet --root "$peers/sockudo" --target-dir "$peers/native/sockudo" --no-default-features --features local sockudo@5.2.0
}

all=(npm_peers nats haproxy nginx caddy mosquitto pushpin weir_filter native_filter pingora extism fluvio sockudo)
[ $# -gt 0 ] || set -- "${all[@]}"
for piece in "$@"; do
  printf '  %-14s' "$piece"
  if "$piece" >"$peers/log/$piece.log" 2>&1; then
    rm -f "$peers/missing/$piece"
    echo "is there"
  else
    grep -E '^(error|E:|npm error)|is missing|run:|do not have' "$peers/log/$piece.log" | head -3 > "$peers/missing/$piece"
    [ -s "$peers/missing/$piece" ] || tail -3 "$peers/log/$piece.log" > "$peers/missing/$piece"
    printf 'CANNOT BE HAD: %s (all of it: target/peers/log/%s.log)\n' "$(head -1 "$peers/missing/$piece")" "$piece"
  fi
done
