#!/bin/sh
# opensmtpd.sh: OpenSMTPD as a server for scripts/bench, and a load that includes its deliveries
#
#     tests/bench/opensmtpd.sh serve PACKAGE PORT
#     RUN_DIRECTORY=DIRECTORY tests/bench/opensmtpd.sh load COUNT LOAD [ARGUMENT ...]
#
# serve: run it in the current directory. PACKAGE is the directory in which the package of Debian is
# unpacked. The names of OpenSMTPD's files are compiled in: it runs with the current directory as its
# root directory, which gets copies of the programs and of the libraries that they need, a
# configuration, a spool, and users of its own. It accepts mail at PORT of 127.0.0.1, delivers it to
# var/mail/recipient, and logs to the file `log`. Needs root. One message is delivered at a time: its
# mail.local releases the lock of the mbox at the end of its input, before it writes, so that two would
# mix their bytes.
#
# load: run LOAD, which sends COUNT messages, and wait until those are in the mbox of the server that
# runs in DIRECTORY: OpenSMTPD replies when a message is in its spool. Exit status 1 if they are not
# there LIMIT seconds after LOAD has ended.

set -eu

# Seconds.
LIMIT=60

# Numbers of users that the system does not have; only this server's files and processes have them.
DAEMON=62001
QUEUE=62002
RECIPIENT=62003

# copy FILE ...: copy system files under their own names.
copy() {
	for file; do
		mkdir -p ".${file%/*}"
		cp -L "$file" ".$file"
	done
}

# Print the libraries that a program needs.
libraries() {
	ldd "$1" | sed -n 's/^[^\/]*\(\/[^ ]*\) (0x.*/\1/p'
}

serve() {
	package=$1
	port=$2

	mkdir -p usr dev etc tmp bin var/empty var/lib/opensmtpd/empty var/mail var/run var/spool/smtpd
	cp -R "$package/usr/sbin" "$package/usr/libexec" usr/
	cp -L /bin/sh bin/sh
	for program in usr/sbin/smtpd usr/sbin/smtpctl usr/libexec/opensmtpd/mail.local bin/sh; do
		# shellcheck disable=SC2046 # words
		copy $(libraries "$program")
	done
	mknod -m 666 dev/null c 1 3
	mknod -m 666 dev/urandom c 1 9
	chmod 1777 tmp var/mail
	chmod 711 var/spool/smtpd
	mkdir -m 700 var/spool/smtpd/purge
	chown $QUEUE:0 var/spool/smtpd/purge

	cat >etc/passwd <<END
root:x:0:0::/:/bin/sh
opensmtpd:x:$DAEMON:$DAEMON::/var/lib/opensmtpd/empty:/bin/sh
opensmtpq:x:$QUEUE:$QUEUE::/var/lib/opensmtpd/empty:/bin/sh
recipient:x:$RECIPIENT:$RECIPIENT::/:/bin/sh
END
	cat >etc/group <<END
root:x:0:
opensmtpd:x:$DAEMON:
opensmtpq:x:$QUEUE:
recipient:x:$RECIPIENT:
END
	echo "127.0.0.1 localhost" >etc/hosts
	echo "lookup file" >etc/resolv.conf
	echo load.example >etc/mailname
	cat >etc/smtpd.conf <<END
smtp limit max-mails 1000000
mda limit max-session-per-user 1
listen on 127.0.0.1 port $port
action store mbox
match from any for any action store
END

	# Not to standard error: it logs each delivery.
	exec chroot . /usr/sbin/smtpd -d -f /etc/smtpd.conf >log 2>&1
}

load() {
	count=$1
	shift
	"$@"
	ticks=$((LIMIT * 20))
	until [ "$(grep -c 'stat=Delivered' "$RUN_DIRECTORY/log")" -ge "$count" ]; do
		ticks=$((ticks - 1))
		[ $ticks -gt 0 ] || break
		sleep 0.05
	done
	delivered=$(grep -c '^From ' "$RUN_DIRECTORY/var/mail/recipient")
	echo "delivered $delivered"
	if [ "$delivered" -ne "$count" ]; then
		echo "opensmtpd.sh: $delivered of $count messages in the mbox" >&2
		exit 1
	fi
}

command=$1
shift
"$command" "$@"
