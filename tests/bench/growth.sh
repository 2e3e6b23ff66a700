# growth.sh: the part of scripts/bench that draws curves
#
# Three curves each for smtpd, the ceiling with backups and smtp-sink -D: messages a second against
# clients (`clients`), against bytes of a message (`sizes`), and against messages stored (`stored`).
# The files in build/bench are CURVE.SERVER.dat with the figures, and for each plot PLOT.svg and, for a
# terminal, PLOT.txt. A plot has the name of its curve; `latency` shows another column of `clients`.
#
# shellcheck shell=sh
# shellcheck disable=SC2154 # the variables of scripts/bench

growth_servers="smtpd backups sink"

# Messages for a point of `clients`, and at most for one of `sizes`.
growth_messages=4000

# Bytes that are sent at most for a point of `sizes`, unless 32 messages have more.
growth_bytes=100000000

# server_title NAME: print the name of a server in plots and tables.
server_title() {
	case $1 in
	backups) echo "ceiling" ;;
	sink) echo "smtp-sink -D" ;;
	*) echo "$1" ;;
	esac
}

# point CURVE SERVER X: add a line "X RATE P99", the medians of the runs at X, to the figures.
point() {
	rate=$(median "$1.$2.$3.rate")
	[ "$rate" = - ] || echo "$3 $rate $(median "$1.$2.$3.p99_us")" >>"$bench/$1.$2.dat"
}

# curve NAME "X ...": measure a curve other than `stored`: all servers at each point.
curve() {
	curve=$1 points=$2
	for server_name in $growth_servers; do
		rm -f "$bench/$curve.$server_name.dat"
		[ "$server_name" != sink ] || [ -n "$sink" ] || continue
		say "growth: $curve, $(server_title "$server_name")"
		for x in $points; do
			point_arguments "$curve" "$x"
			for _ in $(seq "$few_rounds"); do
				# shellcheck disable=SC2086 # words
				run "$curve.$server_name.$x" "$server_name" timeout 60 \
					"$instruments/load" -d $arguments %p
			done
			point "$curve" "$server_name" "$x"
		done
	done
}

# point_arguments CURVE X: set `arguments` to those of the load.
point_arguments() {
	case $1 in
	clients) arguments="-s $2 -m $growth_messages -l 1000" ;;
	sizes)
		number=$((growth_bytes / $2))
		[ $number -le $growth_messages ] || number=$growth_messages
		[ $number -ge 32 ] || number=32
		arguments="-s 32 -m $number -l $2"
		;;
	esac
}

# Measure the curve `stored`: lines "N RATE", the rate from N messages to twice as many (at_N of the
# load), in one run of each server.
curve_stored() {
	stored=1000000
	$short && stored=100000
	for server_name in $growth_servers; do
		rm -f "$bench/stored.$server_name.dat"
		[ "$server_name" != sink ] || [ -n "$sink" ] || continue
		say "growth: messages stored, $(server_title "$server_name")"
		run "stored.$server_name" "$server_name" timeout 180 \
			"$instruments/load" -d -m $stored -l 100 %p
		for file in "$values/stored.$server_name".at_*; do
			[ ! -s "$file" ] || echo "${file##*at_} $(median "${file#"$values/"}")"
		done | sort -n >"$bench/stored.$server_name.dat"
	done
}

# plot NAME COLUMN TITLE X-LABEL Y-LABEL FILE: draw one column of a curve.
plot() {
	lines=
	for server_name in $growth_servers; do
		[ ! -s "$bench/$1.$server_name.dat" ] ||
			lines="$lines${lines:+, }'$bench/$1.$server_name.dat' using 1:$2 with linespoints \
				title '$(server_title "$server_name")'"
	done
	[ -n "$lines" ] || return
	for terminal in svg txt; do
		case $terminal in
		svg) echo "set terminal svg size 800,500" ;;
		txt) echo "set terminal dumb size 100,30" ;;
		esac
		cat <<-END
			set output '$bench/$6.$terminal'
			set title '$3'
			set xlabel '$4'
			set ylabel '$5'
			set logscale xy
			set key bottom left
			plot $lines
		END
	done | gnuplot
	sed 's/[[:space:]]*$//' "$bench/$6.txt" >>"$bench/tables"
}

part_growth() {
	curve clients "1 2 4 8 16 32 64 256"
	curve sizes "100 1000 10000 100000 1000000 10000000"
	curve_stored
	if ! command -v gnuplot >/dev/null; then
		say "no gnuplot: the figures are in build/bench/*.dat, and not drawn"
		return
	fi
	plot clients 2 "Messages of 1 kB a second" clients "messages/s" clients
	plot clients 3 "Latency, 99th percentile" clients microseconds latency
	plot sizes 2 "Messages a second, 32 clients" "bytes of a message" "messages/s" sizes
	plot stored 2 "Messages of 100 bytes a second" "messages stored" "messages/s" stored
}
