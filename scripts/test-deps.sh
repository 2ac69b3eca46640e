#!/usr/bin/env bash
# Brings what the tests need: a C compiler (for the race detector), PostgreSQL, MariaDB,
# MySQL, etcd, the OpenSSH server, Java, HAProxy, nginx, iproute2, the ActiveMQ Artemis broker, the
# reference implementation of HOCON, the JDBC drivers, network drives with two user-mode
# Linux machines to mount them, and what checks rendered set-ups: promtool, keepalived, the
# linter of scripts, and from PyPI an imitation of AWS, AWS's command line and the linter of
# CloudFormation.
# Quick when all is there; safe to run again and from several places at once.
#
# On Debian and Ubuntu, as root or with sudo that asks nothing, it installs the
# packages. Elsewhere it says what is missing and goes on. The broker, the reference
# implementation and the drivers come from Maven Central, or from the mirror that the settings of mvn name, into a folder of
# this checkout. MySQL comes from Debian, through the machine's apt and its mirror, into
# that folder too, with all libraries that it needs: the machine's packages stay as they are.
#
#   HOTCOLD_CACHE   folder for these (default: .cache in the checkout)
#   HOTCOLD_DRIVES  off: leave the network drives out; their tests are skipped (some
#                   300 MB of packages, and root is needed to mount)
#
# Exit code: 0 when all is there, 1 when something is missing.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
readonly root
readonly cache=${HOTCOLD_CACHE:-$root/.cache}

# The release that internal/testserver looks for. The digest is the one which
# Maven Central publishes beside the file.
readonly artemis_version=2.40.0
readonly artemis_sha512=270a00dc3028fb3b93c6aa09aa3e40fbe76015029e5308e0aac241589299a72dac9bb50a10e7e86ad66185e2d8bc7224626810df12f1ee05694322054ad32700

# The release that a Corda node has, and that internal/testserver looks for.
readonly hocon_version=1.3.4
readonly hocon_sha512=377e906a74a942d1b8865606234ac671a6d3ae476462c084aaa9e0b3d893c2a4a0421358d4bcb54919e3d906a887837e8356f07571b3c564d5cdad02b5393a68

# The JDBC drivers that internal/testserver looks for: artifact, file and SHA-512.
readonly jdbc_drivers=(
	'org.postgresql:postgresql:42.7.4 postgresql-42.7.4.jar 1e7ce2040145a8b2e48e6c33fb6954aabf1afa21b1bad9f39465ad508570f22424e31a897f46eb92b28b99ade89d5068214dd400dd473f440d694520e06da796'
	'org.mariadb.jdbc:mariadb-java-client:2.7.12 mariadb-java-client-2.7.12.jar 2ce68980c5d23026116d2d5fd7cafa03d5bfa2403957665d95168706140635dcc3c96f259a3fc2a8fbb3180bc39fd39dcedcb266b33e51891cbce5f153b83cfa'
	'org.mariadb.jdbc:mariadb-java-client:3.5.1 mariadb-java-client-3.5.1.jar 9dcde4df3ff8f7039bcea39bb99fa4d2e8e0c555a2ae28aa7c56d6df2f86efa01f5b65177512e024f23ff43c48750ff97ba5f69be642b808b51840f3cac4fec4'
	'com.mysql:mysql-connector-j:9.1.0 mysql-connector-j-9.1.0.jar f6bc45a0beedd51ee4561aa5043d5631117466eb038a400883cc1fdafe398508911e176e03734d731b197976f8f8059573eeddeb14c1d533e91c0a8079c32ab7'
	'com.microsoft.sqlserver:mssql-jdbc:12.8.1.jre11 mssql-jdbc-12.8.1.jre11.jar b5bca144f5150b9be01ba165b8561b7ce1cf4c0a63c8873f82d904102737fa8a8dc5fd7e2a275b6fcc36ae0ebb898664ecf3ab5661d98a6267abc923b7d6862a'
	'com.oracle.database.jdbc:ojdbc11:23.6.0.24.10 ojdbc11-23.6.0.24.10.jar fd7e20d200fc9436c1d58ca072d1d4b83ae4bc1bb8005b3343eeb0a1f7caca8926a3b6cefb22d9eb3a8b6f40e341425e1463516816c448849b859c95d9942a87'
)

missing=()

say() { printf 'test-deps: %s\n' "$*" >&2; }

has() { command -v "$1" >/dev/null 2>&1; }

has_postgres() {
	has initdb && return
	local initdb
	for initdb in /usr/lib/postgresql/*/bin/initdb; do
		[[ -x $initdb ]] && return
	done
	return 1
}

has_mariadb() { [[ -x /usr/sbin/mariadbd ]] || has mariadbd; }

has_etcd() { has etcd && has etcdctl; }

# Where Debian keeps such programs is not in everybody's PATH.
has_program() { has "$1" || [[ -x /usr/sbin/$1 ]]; }

has_nginx() { has_program nginx && { [[ -e /usr/lib/nginx/modules/ngx_stream_module.so ]] || nginx -V 2>&1 | grep -q -- '--with-stream\( \|$\)'; }; }

has_venv() { has python3 && python3 -c 'import venv, ensurepip' 2>/dev/null; }

# The tests of e2e/drive name what they miss; these are one program of each package.
has_drives() {
	[[ ${HOTCOLD_DRIVES:-} == off ]] && return
	local program
	for program in linux.uml ganesha.nfsd rpcbind mount.nfs4 smbd mount.cifs glusterd mount.glusterfs sshfs sshd ssh-keygen ip modprobe nsenter; do
		has_program "$program" || [[ -x /sbin/$program ]] || return 1
	done
}

has_compiler() { has gcc || has cc || has clang; }

# The name differs between releases of Debian and Ubuntu.
java_package() {
	if apt-cache show openjdk-17-jdk-headless >/dev/null 2>&1; then
		echo openjdk-17-jdk-headless
	else
		echo default-jdk-headless
	fi
}

as_root() {
	if [[ $(id -u) -eq 0 ]]; then
		"$@"
	else
		sudo -n "$@"
	fi
}

can_install() {
	has apt-get || return 1
	[[ $(id -u) -eq 0 ]] || { has sudo && sudo -n true 2>/dev/null; }
}

# Debian's package makes a cluster and starts it. The tests start servers of their
# own, so nothing else shall be left running on the machine.
refuse_main_cluster() {
	local conf=/etc/postgresql-common/createcluster.conf
	grep -qs '^create_main_cluster *= *false' "$conf" && return
	say "$conf: create_main_cluster = false, so that the package starts no server"
	as_root mkdir -p "$(dirname "$conf")"
	echo 'create_main_cluster = false' | as_root tee -a "$conf" >/dev/null
}

# The packages of MariaDB, etcd, OpenSSH, HAProxy and nginx start a server when they are installed, unless the
# machine's policy forbids it. A policy that is there stays; ours goes when the script ends.
readonly policy=/usr/sbin/policy-rc.d
policy_is_ours=
refuse_services() {
	[[ -e $policy ]] && return
	say "$policy: no package starts a service while this installs"
	printf '#!/bin/sh\nexit 101\n' | as_root tee "$policy" >/dev/null
	as_root chmod 755 "$policy"
	policy_is_ours=yes
}

allow_services() {
	[[ -z $policy_is_ours ]] && return
	as_root rm -f "$policy"
	policy_is_ours=
}

install_packages() {
	local packages=("$@")
	say "installing ${packages[*]}"
	as_root env DEBIAN_FRONTEND=noninteractive UCF_FORCE_CONFFOLD=1 apt-get -q -y \
		-o Dpkg::Options::=--force-confold -o DPkg::Lock::Timeout=300 -o Acquire::Retries=5 \
		install --no-install-recommends "${packages[@]}" >&2
}

need_packages() {
	local needed=() names=()
	has_compiler || { needed+=(gcc libc6-dev) && names+=("a C compiler (gcc)"); }
	has_postgres || { needed+=(postgresql) && names+=("PostgreSQL (initdb, postgres)"); }
	has_mariadb || { needed+=(mariadb-server) && names+=("MariaDB (mariadbd, mariadb-install-db)"); }
	has_etcd || { needed+=(etcd-server etcd-client) && names+=("etcd (etcd, etcdctl)"); }
	has_program sshd || { needed+=(openssh-server) && names+=("the OpenSSH server (sshd)"); }
	has_program haproxy || { needed+=(haproxy) && names+=("HAProxy (haproxy)"); }
	has_nginx || { needed+=(nginx-light libnginx-mod-stream) && names+=("nginx with its module stream (nginx), for the benchmark of balancers"); }
	has_program ip || { needed+=(iproute2) && names+=("iproute2 (ip)"); }
	has_drives || { needed+=(user-mode-linux kmod iproute2 util-linux nfs-ganesha nfs-ganesha-vfs rpcbind nfs-common samba cifs-utils glusterfs-server sshfs openssh-server openssh-client) && names+=("network drives (linux.uml, ganesha.nfsd, smbd, glusterd, sshfs), or HOTCOLD_DRIVES=off"); }
	# The compiler too: the tests ask the reference implementation by a source file.
	{ has java && has javac; } || { needed+=(java) && names+=("Java 17 or newer (java, javac)"); }
	{ has_artemis && has_hocon && has_jdbc; } || has mvn || { needed+=(maven ca-certificates) && names+=("Maven (mvn), which fetches the Artemis broker, the reference implementation of HOCON and the JDBC drivers"); }
	has promtool || { needed+=(prometheus) && names+=("promtool (prometheus)"); }
	has_program keepalived || { needed+=(keepalived) && names+=("keepalived"); }
	has shellcheck || { needed+=(shellcheck) && names+=("shellcheck"); }
	has systemd-analyze || { needed+=(systemd) && names+=("systemd-analyze"); }
	has_mysql || [[ -e $debian_keys ]] || { needed+=(debian-archive-keyring) && names+=("Debian's keys (debian-archive-keyring), by which MySQL is verified"); }
	has_venv || { needed+=(python3-venv) && names+=("Python 3 with venv"); }
	[[ ${#needed[@]} -eq 0 ]] && return
	if ! can_install; then
		missing+=("${names[@]}")
		return
	fi
	as_root apt-get -q -o Acquire::Retries=5 update >&2 || say "apt-get update did not succeed, trying with what is known"
	[[ " ${needed[*]} " == *" postgresql "* ]] && refuse_main_cluster
	if [[ " ${needed[*]} " =~ \ (mariadb-server|etcd-server|openssh-server|haproxy|nginx-light|samba|prometheus|keepalived)\  ]]; then
		trap allow_services EXIT
		refuse_services
	fi
	local i
	for i in "${!needed[@]}"; do
		[[ ${needed[i]} == java ]] && needed[i]=$(java_package)
	done
	install_packages "${needed[@]}" || missing+=("${names[@]}")
	allow_services
	local service
	for service in mariadb etcd ssh haproxy nginx prometheus keepalived; do # nor at the machine's next start, if they came with this
		[[ " ${needed[*]} " =~ \ ${service/%ssh/openssh}(-server|-light|\ ) ]] || continue
		has systemctl && as_root systemctl disable "$service" >/dev/null 2>&1
	done
	if [[ " ${needed[*]} " == *" samba "* ]]; then
		for service in smbd nmbd samba-ad-dc nfs-ganesha rpcbind rpcbind.socket glusterd ssh; do
			has systemctl && ! systemctl is-active --quiet "$service" && as_root systemctl disable "$service" >/dev/null 2>&1
		done
	fi
	return 0
}

# The client of Maven Central, with a repository of its own that goes with the
# folder: nothing is left in anybody's home.
readonly dependency_plugin=org.apache.maven.plugins:maven-dependency-plugin:3.8.1

fetch() {
	local artifact=$1 folder=$2 try
	has mvn || return 1
	for try in 1 2 3; do
		mvn --batch-mode --quiet "-Dmaven.repo.local=$folder/m2" "$dependency_plugin:copy" \
			"-Dartifact=$artifact" "-DoutputDirectory=$folder" 2>&1 | sed 's/\x1b\[0*m//g' >&2 && return # it ends with colours that nobody asked for
		say "attempt $try of 3 to fetch $artifact did not succeed"
	done
	return 1
}

readonly artemis_name=apache-artemis-$artemis_version

has_artemis() { [[ -e $cache/$artemis_name/lib/artemis-boot.jar ]]; }

# The folder appears under its name only when it is whole and verified. Who comes
# second, because two ran at once, throws away what it has.
need_artemis() {
	has_artemis && return
	local artifact=org.apache.activemq:apache-artemis:$artemis_version:tar.gz:bin
	mkdir -p "$cache"
	local work
	work=$(mktemp -d "$cache/.fetch-XXXXXX")
	# shellcheck disable=SC2064  # the folder's name is known now, and not later
	trap "rm -rf '$work'" EXIT
	say "fetching $artifact"
	if ! fetch "$artifact" "$work"; then
		missing+=("the Artemis broker ($artifact)")
		return
	fi
	local archive=$work/$artemis_name-bin.tar.gz
	if ! echo "$artemis_sha512  $archive" | sha512sum --check --quiet >&2; then
		missing+=("the Artemis broker: what came as $artifact has another SHA-512")
		return
	fi
	if ! tar -xzf "$archive" -C "$work" --no-same-owner; then
		missing+=("the Artemis broker: it could not be unpacked in $cache")
		return
	fi
	mv -T "$work/$artemis_name" "$cache/$artemis_name" 2>/dev/null || has_artemis
}

# MySQL's server as Debian builds it. It is in no release of Debian's, so it comes from the
# suite that all releases are made from, together with its C library and every other one,
# which is why it runs on any machine with apt. The suite moves on: which version came is
# what the server itself says.
readonly mysql_package=mysql-server-core
readonly mysql_suite=sid
readonly debian_keys=/usr/share/keyrings/debian-archive-keyring.gpg
readonly debian_default=http://deb.debian.org/debian/

mysql_home() { echo "$cache/mysql-$(dpkg --print-architecture)"; }

has_mysql() { has dpkg && [[ -x $(mysql_home)/mysqld ]]; }

# The mirror of Debian that the machine uses, and the one that everybody may use.
debian_mirrors() {
	{
		apt-get indextargets --format "\$(REPO_URI)" 'Created-By: Packages' 2>/dev/null | grep -E '/debian/?$' | head -n 1 || true
		echo "$debian_default"
	} | awk '!seen[$0]++'
}

# Downloads the package and all that it depends on, as on a machine that has nothing. apt
# verifies them by Debian's keys. It needs no root and knows nothing of the machine's packages.
download_mysql() {
	local work=$1 mirror=$2
	local apt=(apt-get -q -y -c "$work/apt.conf")
	echo "deb [signed-by=$debian_keys] $mirror $mysql_suite main" >"$work/sources.list"
	"${apt[@]}" update >&2 && "${apt[@]}" install --download-only "$mysql_package" >&2 && compgen -G "$work/cache/archives/$mysql_package"_*.deb >/dev/null
}

# Keeps of the packages the server, what it loads, and its messages.
unpack_mysql() {
	local work=$1 deb loader
	mkdir -p "$work/tree" "$work/home/lib" "$work/home/plugin" "$work/home/share" || return
	for deb in "$work"/cache/archives/*.deb; do
		dpkg-deb -x "$deb" "$work/tree" || return
	done
	mv "$work"/tree/usr/lib/*-linux-gnu*/*.so* "$work/home/lib/" &&
		mv "$work"/tree/usr/lib/mysql/plugin/*.so "$work/home/plugin/" &&
		mv "$work"/tree/usr/share/mysql/{english,charsets} "$work/home/share/" || return
	loader=$(compgen -G "$work/home/lib/ld-linux-*.so.*") || return
	ln -s "lib/${loader##*/}" "$work/home/ld.so" &&
		mv "$work/tree/usr/sbin/mysqld" "$work/home/mysqld"
}

# Makes the system tables that every server of the tests begins with a copy of: the one
# thing that takes seconds. The copies find names of their own (auto.cnf).
initialize_mysql() {
	local home=$1
	"$home/ld.so" --library-path "$home/lib" "$home/mysqld" --no-defaults --user="$(id -un)" --initialize-insecure \
		--basedir="$home" --lc-messages-dir="$home/share" --character-sets-dir="$home/share/charsets" --plugin-dir="$home/plugin" \
		--datadir="$home/data" --skip-log-bin --innodb-redo-log-capacity=8M --innodb-buffer-pool-size=24M >&2 &&
		rm "$home/data/auto.cnf" "$home"/data/*.dblwr && chmod -R a+rX "$home"
}

fetch_mysql() (
	mkdir -p "$cache" && work=$(mktemp -d "$cache/.fetch-XXXXXX") || exit
	trap 'rm -rf "$work"' EXIT
	mkdir -p "$work"/{state,cache/archives/partial,none} && : >"$work/status" || exit
	cat >"$work/apt.conf" <<-CONF
		#clear APT::Update::Pre-Invoke;
		#clear APT::Update::Post-Invoke;
		#clear APT::Update::Post-Invoke-Success;
		APT::Sandbox::User "root";
		APT::Install-Recommends "false";
		APT::Default-Release "";
		Acquire::Retries "5";
		Acquire::Languages "none";
		Dir::State "$work/state";
		Dir::State::status "$work/status";
		Dir::Cache "$work/cache";
		Dir::Etc::sourcelist "$work/sources.list";
		Dir::Etc::sourceparts "$work/none";
		Dir::Etc::preferences "/dev/null";
		Dir::Etc::preferencesparts "$work/none";
	CONF
	for mirror in $(debian_mirrors); do
		say "fetching $mysql_package from $mirror"
		download_mysql "$work" "$mirror" || continue
		unpack_mysql "$work" || exit
		initialize_mysql "$work/home" || exit
		mv -T "$work/home" "$(mysql_home)" 2>/dev/null || has_mysql
		exit
	done
	exit 1
)

# The folder appears under its name only when the server in it runs; two at once are as with Artemis.
need_mysql() {
	has_mysql && return
	if ! { has apt-get && has dpkg-deb; }; then
		missing+=("MySQL (mysqld), which comes through apt")
	elif [[ ! -e $debian_keys ]]; then
		missing+=("MySQL: there are no keys of Debian in $debian_keys (package debian-archive-keyring)")
	elif ! fetch_mysql; then
		missing+=("MySQL ($mysql_package of Debian $mysql_suite)")
	fi
}

readonly hocon_jar=config-$hocon_version.jar

has_hocon() { [[ -e $cache/$hocon_jar ]]; }

has_jdbc() {
	local driver artifact file digest
	for driver in "${jdbc_drivers[@]}"; do
		read -r artifact file digest <<<"$driver"
		[[ -e $cache/$file ]] || return 1
	done
}

# One file of Maven Central, which appears under its name only when it is verified.
need_jar() {
	local what=$1 artifact=$2 file=$3 digest=$4 work
	[[ -e $cache/$file ]] && return
	mkdir -p "$cache"
	work=$(mktemp -d "$cache/.fetch-XXXXXX")
	say "fetching $artifact"
	if ! fetch "$artifact" "$work"; then
		missing+=("$what ($artifact)")
	elif ! echo "$digest  $work/$file" | sha512sum --check --quiet >&2; then
		missing+=("$what: what came as $artifact has another SHA-512")
	else
		mv -T "$work/$file" "$cache/$file"
	fi
	rm -rf "$work"
}

need_jdbc() {
	local driver artifact file digest
	for driver in "${jdbc_drivers[@]}"; do
		read -r artifact file digest <<<"$driver"
		need_jar "a JDBC driver" "$artifact" "$file" "$digest"
	done
}

readonly cloud_tools=$root/scripts/cloud-tools.txt

# A folder of Python's own with exactly the listed releases. The stamp comes last, so that one which is not whole is
# made anew; the lock is for two that run at once.
need_cloud_tools() {
	local home=$cache/cloud-tools stamp want try
	stamp=$home/installed.sha256
	want=$(sha256sum <"$cloud_tools")
	mkdir -p "$cache"
	exec 9>"$cache/cloud-tools.lock"
	flock 9
	if [[ $(cat "$stamp" 2>/dev/null) != "$want" ]]; then
		say "installing moto, cfn-lint and awscli from PyPI"
		rm -rf "$home"
		for try in 1 2 3; do
			if python3 -m venv "$home" >&2 && "$home/bin/pip" install --quiet --disable-pip-version-check --requirement "$cloud_tools" >&2; then
				printf '%s\n' "$want" >"$stamp"
				break
			fi
			say "attempt $try of 3 did not succeed"
		done
		[[ -e $stamp ]] || missing+=("moto, cfn-lint and awscli (PyPI, scripts/cloud-tools.txt)")
	fi
	exec 9>&-
}

need_packages
need_cloud_tools
need_artemis
need_mysql
need_jar "the reference implementation of HOCON" "com.typesafe:config:$hocon_version" "$hocon_jar" "$hocon_sha512"
need_jdbc
if [[ ${#missing[@]} -gt 0 ]]; then
	for what in "${missing[@]}"; do
		say "missing: $what"
	done
	say "tests that need these are skipped on a laptop and fail in the build"
	exit 1
fi
