#!/bin/sh
# Runs a command in user, network and mount namespaces of its own, where every address of the world is on
# the loopback device; SSRF_NAMESPACE tells it so. Needs no privilege where the kernel grants user namespaces;
# root without them gets the other two. Where neither is possible the command runs outside, and skips aloud.
#
#     tests/ssrf/enter.sh COMMAND...
set -u

# Local routes make all addresses ours: whatever a spelling leads to, a connection is seen.
# shellcheck disable=SC2016 # the inner shell expands
inside='
    set -eu
    ip link set lo up
    ip route add local 0.0.0.0/0 dev lo
    ip -6 route add local ::/0 dev lo
    mount --bind "$1/resolv.conf" /etc/resolv.conf
    mount --bind "$1/hosts" /etc/hosts
    mount --bind "$1/nsswitch.conf" /etc/nsswitch.conf'

files=$(mktemp -d)
trap 'rm -rf "$files"' EXIT
echo "nameserver 9.9.9.9
options timeout:1 attempts:1" >"$files/resolv.conf"
echo "127.0.0.1 localhost
::1 localhost ip6-localhost
10.0.0.1 internal.hosts.test" >"$files/hosts"
echo "hosts: files dns" >"$files/nsswitch.conf"

for flags in -Urnm -nm; do
    if unshare $flags sh -c "$inside" sh "$files"; then
        export SSRF_NAMESPACE=1
        unshare $flags sh -c "$inside
            shift
            exec \"\$@\"" sh "$files" "$@"
        exit
    fi
done
"$@"
