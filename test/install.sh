#!/usr/bin/env bash
# Installs what the tests need on Debian and Ubuntu: real mail servers, systemd's own checks, a C compiler. Quick and
# silent when all is there. Starts no service, and replaces no mail server that is installed.
set -euo pipefail

packages=(dovecot-imapd dovecot-lmtpd postfix opendkim opendkim-tools ca-certificates systemd gcc libc6-dev make
	strace e2fsprogs util-linux)

installed() { [ "$(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null)" = installed ]; }

if ! command -v dpkg-query >/dev/null || ! command -v apt-get >/dev/null; then
	echo "test/install.sh knows Debian and Ubuntu only. The tests need Dovecot 2.3 (IMAP, LMTP), Postfix and systemd-analyze." >&2
	for program in dovecot postfix systemd-analyze gcc; do
		command -v "$program" >/dev/null || { echo "$program is not here: please install it." >&2; exit 1; }
	done
	exit 0
fi

missing=()
for p in "${packages[@]}"; do installed "$p" || missing+=("$p"); done
[ ${#missing[@]} -eq 0 ] && exit 0

case " ${missing[*]} " in *" postfix "*)
	# apt would remove it: packages that provide mail-transport-agent exclude each other.
	other=$(dpkg-query -W -f '${db:Status-Status} ${Package} ${Provides}\n' |
		awk '$1 == "installed" && / mail-transport-agent/ {print $2; exit}')
	if [ -n "$other" ]; then
		echo "The tests need Postfix, but this machine's mail server is $other, which apt would remove." >&2
		echo "Run the tests on another machine or in a container, or: apt-get install postfix" >&2
		exit 1
	fi
esac

if [ "$(id -u)" -ne 0 ]; then
	echo "The tests need ${missing[*]}. As root: $0" >&2
	exit 1
fi

echo "installing for the tests: ${missing[*]}"
export DEBIAN_FRONTEND=noninteractive

# policy-rc.d with 101 keeps packages from starting their services. One that is there is somebody's: it stays.
policy=/usr/sbin/policy-rc.d
log=$(mktemp)
trap 'rm -f "$log"' EXIT
if [ ! -e "$policy" ]; then
	trap 'rm -f "$log" "$policy"' EXIT
	printf '#!/bin/sh\nexit 101\n' >"$policy"
	chmod 755 "$policy"
fi
case " ${missing[*]} " in *" postfix "*)
	if command -v debconf-set-selections >/dev/null; then
		echo 'postfix postfix/main_mailer_type select No configuration' | debconf-set-selections
	fi
esac

if ! { apt-get update && apt-get install -y --no-install-recommends "${missing[@]}"; } >"$log" 2>&1 </dev/null; then
	tail -n 30 "$log" >&2
	echo "apt-get could not install ${missing[*]}." >&2
	exit 1
fi
