#!/usr/bin/env bash
# Installs what the tests need on a Debian or Ubuntu machine: real directory and database servers, and a C compiler for
# the race detector. Only what is missing is installed, nothing is started, and running it again does nothing.
#
#   ./testenv/install.sh          install what is missing
#   ./testenv/install.sh --list   print the packages
#
# It must run as root, or sudo must work without a question.
set -euo pipefail

# What the tests need, one line for each reason. Later parts of the tests add their servers here.
packages=(
	slapd ldap-utils # OpenLDAP: server and command-line tools
	389-ds-base      # 389 Directory Server, which also stands for the layout of FreeIPA
	samba samba-ad-dc samba-ad-provision samba-dsdb-modules winbind # Active Directory, played by Samba
	faketime         # a false clock, the only way to an expired password in Active Directory
	postgresql       # PostgreSQL: server
	mariadb-server   # MariaDB: server, for the import of an AccountHub database
	chromium         # the pages are looked at in a real browser
	exim4-daemon-light # mail server, for the outbox
	gcc libc6-dev    # the race detector of Go needs cgo
	ca-certificates  # the Go module proxy is spoken to over TLS
)

if [[ ${1-} == --list ]]; then
	printf '%s\n' "${packages[@]}"
	exit
fi

# installed tells whether a package is there and complete.
installed() {
	[[ $(dpkg-query -W -f='${db:Status-Abbrev}' "$1" 2>/dev/null) == "ii "* ]]
}

if ! command -v dpkg-query >/dev/null || ! command -v apt-get >/dev/null; then
	echo "install.sh: this is not a Debian or Ubuntu machine. Install what provides these programs and files yourself:" >&2
	echo "  slapd and slapadd with the modules syncprov, memberof, refint, ppolicy and sssvlv; ns-slapd and dscreate; samba and samba-tool; faketime; postgres and initdb; mariadbd and mariadb-install-db; chromium; gcc" >&2
	exit 1
fi

missing=()
for package in "${packages[@]}"; do
	installed "$package" || missing+=("$package")
done
if ((${#missing[@]} == 0)); then
	exit
fi

as_root=()
if ((EUID != 0)); then
	if ! sudo -n true 2>/dev/null; then
		echo "install.sh: not root, and sudo asks for a password. Run as root: ${BASH_SOURCE[0]}" >&2
		echo "  (missing: ${missing[*]})" >&2
		exit 1
	fi
	as_root=(sudo -n)
fi

# Debian starts servers as soon as they are installed. The tests start their own, so say no: slapd makes no directory,
# and as long as this runs no service is started. 389-ds-base makes no instance by itself. Samba's units are switched
# off below, so that they do not start with the machine either.
policy=/usr/sbin/policy-rc.d
if [[ ! -e $policy ]]; then
	printf '#!/bin/sh\nexit 101\n' | "${as_root[@]}" tee "$policy" >/dev/null
	"${as_root[@]}" chmod 755 "$policy"
	trap '"${as_root[@]}" rm -f "$policy"' EXIT
fi
if command -v debconf-set-selections >/dev/null && ! installed slapd; then
	echo 'slapd slapd/no_configuration boolean true' | "${as_root[@]}" debconf-set-selections
fi

# apt runs apt-get without questions; it waits for another apt-get that may be running.
apt() {
	"${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -y -q -o DPkg::Lock::Timeout=300 "$@" </dev/null
}

echo "install.sh: installing ${missing[*]}"
# The package lists of a fresh machine are empty, those of an old one name versions that are gone: then, and only then,
# read them again.
if ! apt install --no-install-recommends "${missing[@]}" >/dev/null 2>&1; then
	apt update
	apt install --no-install-recommends "${missing[@]}"
fi

for package in "${missing[@]}"; do
	if ! installed "$package"; then
		echo "install.sh: $package could not be installed" >&2
		exit 1
	fi
done
# A machine with systemd would start Samba at its next boot, on ports that the tests want.
if command -v systemctl >/dev/null && [[ -d /run/systemd/system ]] && [[ " ${missing[*]} " == *" samba "* ]]; then
	"${as_root[@]}" systemctl disable --now smbd nmbd winbind samba-ad-dc >/dev/null 2>&1 || true
fi
