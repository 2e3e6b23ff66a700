/*
 * NAME
 *	handoff - model of monitor 1 (handoff.c), its acceptor (main.c) and its workers (pool.c)
 *
 * DESCRIPTION
 *	Scaled down to 3 workers and 4 clients. Each inline has the name of a C function and its
 *	steps, except connection_close(), which is close(), and check_end(). The code under the
 *	mutex between two waits is one step; the test before a wait is another. A run of the model
 *	is one run of the server, from the first client to the last join. Nondeterministic are:
 *	- the times at which clients connect, and the time of the stop;
 *	- whether a client leaves, or stays until the server stops, or until the server stops or
 *	  another client needs its worker;
 *	- whether accept() fails permanently;
 *	- the wake-ups of monitor.pml.
 *
 *	In some runs the stop comes only when no other step is possible (`timeout`), so that it
 *	cannot hide a forgotten client or a lost wake-up.
 *
 *	Properties
 *	- No deadlock: only the end of all processes has no next state. And each run gets there
 *	  (`ends`), so that a stop ends the server from every state.
 *	- pending <= idle <= WORKERS whenever the mutex is free.
 *	- A connection is accepted only for an idle worker: connections that are accepted and not
 *	  yet taken never outnumber the workers in handoff_take(), unless the monitor has been
 *	  closed.
 *	- Before a stop no worker ends, and no client is pending, in the ring or in the backlog,
 *	  while a worker is idle. If accept() fails permanently, the server ends without a signal.
 *	- A worker is wanted only while none is free and a client is in the backlog. At most one
 *	  worker ends its client in each wait of the acceptor. Before a stop no idle client keeps
 *	  its worker while another client waits.
 *	- Each accepted connection is served once, by one worker; or, if the monitor was closed
 *	  between accept() and handoff_put(), closed by the acceptor.
 *
 * MUTANTS
 *	-DMUTANT=NAME builds a mistake in. spin must find the error beside its name: a deadlock, or
 *	this assertion, which is written as spin prints it.
 */

#define WAIT_IS_NO_LOOP        1 /* assert (closed||((accepted-taken)<=resting)) */
#define ACCEPT_BEFORE_WAIT     2 /* assert (closed||((accepted-taken)<=resting)) */
#define IDLE_LOWERED_LATE      3 /* assert (closed||((accepted-taken)<=resting)) */
#define TAKE_IS_NO_LOOP        4 /* assert closed */
#define IDLE_NOT_SIGNALLED     5 /* assert ((backlog==0)||(idle==0)) */
#define READY_NOT_SIGNALLED    6 /* assert (pending==0) */
#define READY_SIGNALLED_FIRST  7 /* assert (pending==0) */
#define CLOSE_WAKES_ONE        8 /* assert accepting */
#define CLOSE_WITHOUT_MUTEX    9 /* deadlock */
#define PUT_AFTER_CLOSE       10 /* assert (((pending<=idle) */
#define CLOSE_DROPS_PENDING   11 /* assert (((pending<=idle) */
#define FAILURE_IS_NO_STOP    12 /* assert accepting */
#define PIPE_CLOSED_EARLY     13 /* assert pipe_open */
#define NOT_WANTED            14 /* assert ((backlog==0)||(idle_clients==0)) */
#define WANTED_WITHOUT_CLIENT 15 /* assert (((backlog>0)||stop_byte)||accept_may_fail) */
#define WANTED_IN_LOOP        16 /* assert !(claimed) */
#define CLAIM_KEEPS_WANTED    17 /* assert !(claimed) */
#define TAKE_KEEPS_WANTED     18 /* assert (((pending<=idle) */
#define CLOSE_KEEPS_WANTED    19 /* assert (((pending<=idle) */

#ifndef MUTANT
#define MUTANT 0
#endif

#ifndef WORKERS
#define WORKERS 3
#endif
#ifndef CLIENTS
#define CLIENTS 4
#endif
#ifndef SPURIOUS
#define SPURIOUS 1 /* spurious wake-ups in a run, at most */
#endif
#define ACCEPTOR  WORKERS       /* the _pid of the main thread; those of the workers begin at 0 */
#define THREADS   (WORKERS + 1) /* processes that wait on the monitor's condition variables */
#define INVARIANT \
	(pending <= idle && idle <= WORKERS && (!wanted || (pending == idle && !closed)))

/* The condition variables. */
#define WORKER_IDLE      1
#define CONNECTION_READY 2

#include "monitor.pml"

/* struct handoff */
byte idle, pending, head;
bool wanted, closed;
byte ring[WORKERS];

/* The rest of the server: the flag of main.c, the pipe of listener.c, and the ends of threads. */
bool stopping;
bool stop_byte;      /* in the pipe */
bool pipe_open = true;
byte workers_ended;
bool signals_ending; /* struct signals: ending */
bool signals_ended;

/* The environment. */
byte backlog;
bool accept_may_fail;
byte accepted; /* connections so far: each has the number of those before it */

/* Read by the properties only. */
bool open_connection[CLIENTS]; /* accepted, and not yet closed */
byte taken;
byte resting;                  /* workers inside handoff_take(), as `idle` if that is right */
bool accepting = true;
byte idle_clients;             /* in service, and to be ended if a worker is wanted */
bool claimed;                  /* a worker has claimed in this wait of the acceptor */
bool ended;

#define NO_CONNECTION 255 /* -1 in C */

inline connection_close(connection)
{
	atomic {
		assert(open_connection[connection]);
		open_connection[connection] = false;
		connection = 0
	}
}

/* ---- handoff.c ---- */

inline handoff_wait_idle(open)
{
	atomic {
		mutex_lock();
#if MUTANT != NOT_WANTED
		wanted = !closed && pending == idle
#endif
	}
#if MUTANT == WANTED_IN_LOOP
	do
	:: !closed && pending == idle ->
		cond_wait(WORKER_IDLE);
		wanted = !closed && pending == idle
	:: else -> break
	od;
#elif MUTANT == WAIT_IS_NO_LOOP
	wait_if(!closed && pending == idle, WORKER_IDLE);
#else
	wait_while(!closed && pending == idle, WORKER_IDLE);
#endif
	atomic { open = !closed; claimed = false; mutex_unlock() }
}

inline handoff_put(connection, open)
{
#if MUTANT == READY_SIGNALLED_FIRST
	cond_signal(CONNECTION_READY);
#endif
	atomic {
		mutex_lock();
#if MUTANT == PUT_AFTER_CLOSE
		open = true;
#else
		open = !closed;
#endif
		if
		:: open ->
			ring[(head + pending) % WORKERS] = connection;
			pending++
		:: else
		fi;
		mutex_unlock()
	}
#if MUTANT != READY_NOT_SIGNALLED && MUTANT != READY_SIGNALLED_FIRST
	cond_signal(CONNECTION_READY)
#endif
}

inline handoff_take(connection)
{
	atomic {
		mutex_lock();
		connection = NO_CONNECTION;
		idle++;
		resting++;
#if MUTANT != TAKE_KEEPS_WANTED
		wanted = false;
#endif
#if MUTANT != IDLE_NOT_SIGNALLED
		cond_signal_one(WORKER_IDLE, ACCEPTOR)
#endif
	}
#if MUTANT == TAKE_IS_NO_LOOP
	wait_if(!closed && pending == 0, CONNECTION_READY);
#else
	wait_while(!closed && pending == 0, CONNECTION_READY);
#endif
	atomic {
		if
#if MUTANT == CLOSE_DROPS_PENDING
		:: pending > 0 && !closed ->
#else
		:: pending > 0 ->
#endif
			connection = ring[head];
			ring[head] = 0;
			head = (head + 1) % WORKERS;
			pending--;
			taken++
		:: else
		fi;
#if MUTANT == IDLE_LOWERED_LATE
		idle = (connection == NO_CONNECTION -> idle - 1 : idle);
#else
		idle--;
#endif
		resting--;
		mutex_unlock()
	}
}

/*
 * A worker tests `wanted` again and again. Here it waits until the mutex is free and the test
 * succeeds.
 */
inline handoff_claim_wanted()
{
	owner == NONE && wanted ->
#if MUTANT != CLAIM_KEEPS_WANTED
	wanted = false;
#endif
	assert(backlog > 0 || stop_byte || accept_may_fail);
	assert(!claimed);
	claimed = true
}

inline handoff_close()
{
#if MUTANT == CLOSE_WITHOUT_MUTEX
	atomic { closed = true; wanted = false };
	cond_broadcast(WORKER_IDLE);
	cond_broadcast(CONNECTION_READY)
#else
	atomic {
		mutex_lock();
		closed = true;
#if MUTANT != CLOSE_KEEPS_WANTED
		wanted = false;
#endif
		cond_broadcast(WORKER_IDLE);
#if MUTANT == CLOSE_WAKES_ONE
		cond_signal(CONNECTION_READY);
#else
		cond_broadcast(CONNECTION_READY);
#endif
		mutex_unlock()
	}
#endif
}

/* ---- pool.c ---- */

active [WORKERS] proctype worker()
{
	byte connection;

	do
	:: handoff_take(connection);
		if
		:: connection == NO_CONNECTION -> break
		:: else
		fi;
		if
		/* The connection ends at any time, */
		:: connection_close(connection)
		/* or when the server stops, */
		:: true ->
			atomic { stopping -> connection_close(connection) }
		/* or when the server stops or another client needs the worker. */
		:: atomic { true -> idle_clients++ };
			atomic {
				if
				:: stopping
				:: handoff_claim_wanted()
				fi;
				idle_clients--;
				connection_close(connection)
			}
		fi
#if MUTANT == IDLE_LOWERED_LATE
		;
		idle--
#endif
	od;
	atomic { assert(closed); workers_ended++ }
}

/* ---- main.c ---- */

inline handoff_has_idle(has_idle)
{
	atomic { mutex_lock(); has_idle = pending < idle; mutex_unlock() }
}

/* Wait for a client, for the byte in the pipe, or for the socket to fail. */
inline listener_wait()
{
	backlog > 0 || stop_byte || accept_may_fail
}

/* Wait for a client, or for the byte in the pipe, or fail. */
inline listener_accept(connection)
{
	atomic {
		if
		:: backlog > 0 ->
			backlog--;
			connection = accepted;
			accepted++;
			open_connection[connection] = true;
			assert(closed || accepted - taken <= resting)
		:: stop_byte -> connection = NO_CONNECTION
		:: accept_may_fail -> connection = NO_CONNECTION
		fi
	}
}

inline accept_connections()
{
	do
	:: true ->
#if MUTANT == ACCEPT_BEFORE_WAIT
		listener_accept(connection);
		handoff_wait_idle(open);
#else
#if MUTANT != WANTED_WITHOUT_CLIENT
		atomic {
			handoff_has_idle(has_idle);
			if
			:: !has_idle -> listener_wait()
			:: else -> has_idle = false
			fi
		};
#endif
		handoff_wait_idle(open);
		if
		:: !open -> break
		:: else
		fi;
		listener_accept(connection);
#endif
		if
		:: connection == NO_CONNECTION -> break
		:: else
		fi;
		handoff_put(connection, open);
		if
		:: !open -> connection_close(connection)
		:: else -> connection = 0
		fi
	od
}

inline shut_down()
{
#if MUTANT == PIPE_CLOSED_EARLY
	pipe_open = false;
#endif
	handoff_close();
	workers_ended == WORKERS; /* pool_join() */
	signals_ending = true;    /* signals_join() */
	signals_ended;
	pipe_open = false         /* listener_destroy() */
}

inline check_end()
{
	atomic {
		for (connection : 0 .. CLIENTS - 1) {
			assert(!open_connection[connection])
		}
		assert(pending == 0 && idle == 0 && resting == 0)
	}
}

active proctype acceptor()
{
	byte connection;
	bool open;
	bool has_idle;

	atomic {
		assert(_pid == ACCEPTOR);
		select(spurious : 0 .. SPURIOUS);
		if
		:: accept_may_fail = true
		:: true
		fi
	}
	accept_connections();
	accepting = false;
#if MUTANT != FAILURE_IS_NO_STOP
	stopping = true;
#endif
	shut_down();
	check_end();
	ended = true
}

/* ---- signals.c ---- */

inline on_stop()
{
	stopping = true;
	atomic { assert(pipe_open); stop_byte = true }; /* listener_stop() */
	handoff_close()
}

active proctype signals()
{
	if
	:: true /* SIGTERM comes at any time, */
	:: true ->
		if
		:: atomic {
			timeout ->
				/* or when no other step is possible, */
				assert(accepting);
				assert(pending == 0);
				assert(backlog == 0 || idle == 0);
				assert(backlog == 0 || idle_clients == 0)
		   }
		:: signals_ending -> goto done /* or never. */
		fi
	fi;
	on_stop();
done:
	signals_ended = true
}

/* ---- the clients ---- */

active proctype clients()
{
	byte come;

	do
	:: come < CLIENTS -> atomic { come++; backlog++ }
	:: else -> break
	od
}

ltl ends { <> ended }
