# peers.sh: parts of scripts/bench that compare smtpd and multiclient with other programs
#
# Each program is taken from PATH or else from its package (Debian's, npm's), which is unpacked under
# build/bench and not installed. One that is not available is left out with a line.
#
# shellcheck shell=sh
# shellcheck disable=SC2154 # the variables of scripts/bench

peers="smtpd sink_stores sink bhm aiosmtpd nodemailer opensmtpd"

# Seconds that a load may take with a peer. postal's bhm can stop in the middle of one.
peer_limit=20

recipient=recipient@load.example

# unpack NAME: fetch and unpack Debian's package.
unpack() {
	[ ! -d "$bench/$1" ] || return 0
	(
		mkdir -p "$bench/packages" && cd "$bench/packages" || exit 1
		apt-get -q download "$1" ||
			{ [ "$(id -u)" -eq 0 ] && apt-get -q update && apt-get -q download "$1"; } ||
			exit 1
		mkdir -p "$bench/$1" && dpkg -x "$1"_*.deb "$bench/$1"
	) >&2
}

# postal_program NAME: print its path.
postal_program() {
	command -v "$1" || { unpack postal && ls "$bench/postal/usr/sbin/$1"; }
}

# Set `python` to a command that has the module.
find_aiosmtpd() {
	python=
	for candidate in python3 /usr/bin/python3; do
		"$candidate" -c 'import aiosmtpd' 2>/dev/null && python=$candidate
	done
	[ -z "$python" ] || return 0
	unpack python3-aiosmtpd && unpack python3-public || return
	python="env PYTHONPATH=$bench/python3-aiosmtpd/usr/lib/python3/dist-packages"
	python="$python:$bench/python3-public/usr/lib/python3/dist-packages python3"
	$python -c 'import aiosmtpd'
}

find_nodemailer() {
	command -v node >/dev/null && command -v npm >/dev/null || return
	[ -d "$bench/node/node_modules/smtp-server" ] ||
		{ mkdir -p "$bench/node" && npm install --silent --prefix "$bench/node" smtp-server >&2; }
}

# Fetch OpenSMTPD, and start it once: it needs root, device files, and libraries of other packages.
find_opensmtpd() {
	[ "$(id -u)" -eq 0 ] && unpack opensmtpd || return
	mkdir -p "$run_directories/trial"
	"$instruments/measure" "$run_directories/trial" "$here/tests/bench/opensmtpd.sh" \
		serve "$bench/opensmtpd" %p -- true >/dev/null 2>&1
}

# find_peer NAME: set `peer` to the command that starts it. Set `peer_loader` to a command that is
# followed by the number of messages and the load, and runs this, or to nothing. Fails if the peer is
# not available.
find_peer() {
	peer_loader=
	case $1 in
	smtpd) peer="$here/smtpd -p 0" ;;
	sink_stores) [ -n "$sink" ] && peer="$sink -D dump 127.0.0.1:%p 4096" ;;
	sink) [ -n "$sink" ] && peer="$sink 127.0.0.1:%p 4096" ;;
	bhm)
		program=$(postal_program bhm) || return
		echo "$recipient" >"$bench/users"
		peer="$program -b 127.0.0.1 -p %p -t 64 $bench/users"
		;;
	aiosmtpd)
		find_aiosmtpd || return
		peer="$python -m aiosmtpd -n -c aiosmtpd.handlers.Mailbox -l 127.0.0.1:%p maildir"
		;;
	nodemailer)
		find_nodemailer || return
		peer="env NODE_PATH=$bench/node/node_modules node $here/tests/bench/smtp_server.js %p"
		;;
	opensmtpd)
		find_opensmtpd || return
		peer="$here/tests/bench/opensmtpd.sh serve $bench/opensmtpd %p"
		peer_loader="$here/tests/bench/opensmtpd.sh load"
		;;
	esac
}

# peer_name NAME: print its name in the table.
peer_name() {
	case $1 in
	sink_stores) echo "smtp-sink -D" ;;
	sink) echo "smtp-sink, stores nothing" ;;
	bhm) echo "bhm (postal), stores nothing" ;;
	aiosmtpd) echo "aiosmtpd, maildir" ;;
	nodemailer) echo "smtp-server (nodemailer)" ;;
	opensmtpd) echo "OpenSMTPD, mbox, 4 clients" ;;
	*) echo "$1" ;;
	esac
}

# peer_load NAME LOAD: measure one peer with one load.
peer_load() {
	case $1 in
	smtpd | sink*) small=10000 large=200 ;;
	opensmtpd) small=500 large=20 ;;
	*) small=1000 large=50 ;;
	esac
	# OpenSMTPD has a backlog of 5: many of 32 clients would wait a second and more for a repeated SYN.
	[ "$1" = opensmtpd ] && clients=4 || clients=32
	source_command="$source -A -s $clients -M load.example -f sender@load.example -t $recipient"
	key=peer.$1.$2
	count=$small
	case $2 in
	single) arguments="$source_command -m $small -l 1000 127.0.0.1:%p" ;;
	kept) arguments="$source_command -d -m $small -l 1000 127.0.0.1:%p" ;;
	large)
		count=$large
		arguments="$source_command -d -m $large -l 1000000 127.0.0.1:%p"
		;;
	two_writes) arguments="$instruments/load -dw -s $clients -m $small -l 1000 %p" ;;
	esac
	echo "$count" >"$values/$key.count"
	# shellcheck disable=SC2086 # words
	run "$key" "$peer" ${peer_loader:+$peer_loader $count} timeout $peer_limit $arguments
}

# peer_cells KEY: print messages a second, milliseconds of CPU a message, the most memory in MiB.
peer_cells() {
	count=$(median "$1.count")
	rate=$(compute 'a / b' "$count" "$(median "$1.wall_s")")
	cpu=$(compute '1000 * a / b' "$(median "$1.server_s")" "$count")
	peak=$(compute 'a / 1024' "$(median "$1.peak_kib")")
	[ "$rate" = - ] && printf ' %8s %7s %6s' - - - || printf ' %8.0f %7.3f %6.1f' "$rate" "$cpu" "$peak"
}

part_peers() {
	[ -n "$source" ] || return
	{
		printf '\n%s\n%s\n%s\n\n' "Messages a second, milliseconds of server CPU a message, most memory in MiB;" \
			"32 connections; two writes: the end of the data with a send() of its own;" \
			"OpenSMTPD: until the last message is in the mbox"
		printf '%-28s %23s %23s %23s %23s\n' "" "1 kB, a connection each" "1 kB, kept" "1 MB, kept" \
			"1 kB, kept, two writes"
	} >>"$bench/tables"
	for server_name in $peers; do
		if ! find_peer "$server_name"; then
			say "$(peer_name "$server_name"): not available here, left out"
			continue
		fi
		printf '%-28s' "$(peer_name "$server_name")" >>"$bench/tables"
		for kind in single kept large two_writes; do
			say "peers: $(peer_name "$server_name"), $kind"
			for _ in $(seq "$few_rounds"); do
				peer_load "$server_name" $kind
			done
			peer_cells "peer.$server_name.$kind" >>"$bench/tables"
		done
		echo >>"$bench/tables"
	done
}

# generator KEY WHAT OPERATIONS: add a line with operations a second and microseconds of CPU of the load
# for each operation.
generator() {
	awk -v what="$2" -v count="$3" -v wall="$(median "$1.wall_s")" -v cpu="$(median "$1.load_s")" '
		BEGIN {
			if (wall == "-" || count == 0) {
				printf "%-40s %12s %12s\n", what, "-", "-"
			} else {
				printf "%-40s %12.0f %12.2f\n", what, count / wall, 1e6 * cpu / count
			}
		}' >>"$bench/tables"
}

# A message over a kept connection is four operations: MAIL, RCPT, DATA and the body.
part_generators() {
	printf '\n%s\n\n%-40s %12s %12s\n' "Loads against smtpd: operations, and microseconds of their own CPU" \
		"" "op/s" "us/op" >>"$bench/tables"
	say "generators"
	if [ -x "$here/multiclient/multiclient" ]; then
		run generator.multiclient smtpd "$here/multiclient/multiclient" --no-timeouts -q \
			-n 200000 127.0.0.1 %p
		generator generator.multiclient "multiclient, which checks each reply" 200000
	fi
	# shellcheck disable=SC2086 # words
	[ -z "$source" ] || run generator.source smtpd $source -A -s 32 -d -m 20000 -l 1000 127.0.0.1:%p
	generator generator.source "smtp-source, kept" 80000
	run generator.load smtpd "$instruments/load" -d -m 20000 -l 1000 %p
	generator generator.load "tests/bench/load, kept" 80000
	if program=$(postal_program postal); then
		echo "$recipient" >"$bench/users"
		# postal never ends by itself. smtpd has then made a backup of each 32 messages.
		run generator.postal "$here/smtpd -x -p 0" sh -c "cd $bench; timeout 5 $program -t 32 -c 1000 -m 1 \
			-r 10000000 [127.0.0.1]%p $bench/users >/dev/null; true"
		backups=$(find "$directory" -name 'mailbox.*-*' | wc -l)
		generator generator.postal "postal, up to 1,000 messages a connection" $((backups * 32 * 4))
	else
		say "postal: not available here, left out"
	fi
}
