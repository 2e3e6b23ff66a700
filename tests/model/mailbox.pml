/*
 * NAME
 *	mailbox - model of monitor 2 (mailbox.c), its backup thread (backup.c) and its workers
 *
 * DESCRIPTION
 *	Scaled down to 3 workers that deliver 4 messages between them, and a backup after every 2nd.
 *	Each inline has the name of the C function that it stands for, and its steps; what is done
 *	under the mutex between two waits is mostly one step. A run of the model is one run of the
 *	server. Left to chance are: with or without `sync`; an empty start, or one with a backup
 *	due, or made but not yet cut off; which threads are faster; whether each write, truncation,
 *	flush, copy and note succeeds; when the server stops; and all that monitor.pml says about
 *	wake-ups.
 *
 *	A record is one unit long and bears the mark of the worker that delivers it until that is
 *	acknowledged, and then the mark ACKNOWLEDGED, wherever the record is by then.
 *
 *	Properties
 *	- No deadlock: only the end of all processes has no next state. And each run gets there
 *	  (`ends`), whatever fails: nobody waits for ever, and a stop ends from every state.
 *	- Nobody appends while a backup is due or being made, or while others are being refused;
 *	  there is nothing between two records.
 *	- A backup is made at every second message exactly, of just the records since the last one,
 *	  all of them flushed, and once. The file is emptied only when they are in the backup.
 *	- A backup that is due is tried without anybody asking and, if that has failed, once more at
 *	  the stop. A delivery is refused for it only if a try has failed that began after it came.
 *	- A message acknowledged has its own record under its own number then and at the end and,
 *	  with `sync`, on the disk; one refused has none. `delivered` counts the former only.
 *
 * MUTANTS
 *	With -DMUTANT=NAME a mistake is built in. spin must find it, and must find just this: a
 *	deadlock, or the assertion named beside it, which is written as spin prints it.
 *
 * BUGS
 *	The note in `mailbox.commit` is only one more thing that can fail after a truncation.
 */

#define TURN_IS_NO_LOOP         1 /* assert !(backup_due) */
#define DUE_CLEARED_EARLY       2 /* assert !(copying) */
#define DUE_NOT_SIGNALLED       3 /* assert (!(backup_due)||backup_failed) */
#define FLUSH_NOT_SIGNALLED     4 /* assert (!(backup_due)||backup_failed) */
#define FAILURE_WAKES_ONE       5 /* deadlock */
#define WAIT_UNTIL_MADE         6 /* deadlock */
#define ASKED_CLEARED_LATE      7 /* deadlock */
#define REFUSING_FOR_EVER       8 /* deadlock */
#define ANY_TRY_WILL_DO         9 /* assert (!(error)||(tries_finished>came_at)) */
#define BACKUP_BEFORE_FLUSH    10 /* assert (flushed==delivered) */
#define REFUSED_STAYS_DUE      11 /* assert ((delivered%2)==0) */
#define NOT_REFUSING           12 /* assert has_own_record */
#define FLUSH_TAKES_ALL        13 /* assert (!(sync)||(number<=on_disk)) */
#define FAILURE_TAKES_A_NUMBER 14 /* assert ((delivered-backed_up)==length) */
#define TORN_NOT_CUT_BACK      15 /* assert (size==length) */
#define EMPTIED_UNCOPIED       16 /* assert is_in_backup */
#define MADE_TWICE             17 /* assert !(is_in_backup) */
#define CLOSE_ASKS_NOTHING     18 /* assert (!(backup_due)||(tries_begun>tries_at_close)) */
#define TURN_NOT_PASSED        19 /* deadlock */
#define REFUSED_PASS_NOTHING   20 /* deadlock */
#define FLUSH_WAITS_FOR_BACKUP 21 /* deadlock */
#define REFUSED_LEAVE_NO_FLUSH 22 /* deadlock */
#define TAKEN_BACK_IN_SILENCE  23 /* deadlock */

#ifndef MUTANT
#define MUTANT 0
#endif

#ifndef MESSAGES
#define MESSAGES 4
#endif
#ifndef EVERY
#define EVERY 2 /* BACKUP_EVERY */
#endif
#ifndef SPURIOUS
#define SPURIOUS 1 /* wake-ups for no reason, at most, in a run */
#endif
#define WORKERS 3
#define BACKUP  3 /* the _pid of the backup thread; the workers' count from 0 */
#define THREADS 4 /* that wait on the monitor's condition variables */

#define INVARIANT \
	(flushed <= delivered && (sync || flushed == delivered) && (torn || size == length))

/* The condition variables. */
#define BACKUP_NEEDED 1
#define BACKUP_DONE   2
#define FLUSH_DONE    3

#include "monitor.pml"

/* struct mailbox; of an error it is enough to know that there was one. */
bool sync;
byte delivered, length;
bool torn, closing;
byte flushed, flushed_length, awaiting_flush, entering;
bool flushing, refusing;
bool backup_due, backup_asked, backup_made;
byte tries_begun, tries_finished;
bool backup_failed;

/* The disk: a mark for each record, by position in the mailbox and by number in the backups. */
#define NO_RECORD    0
#define OWN          (_pid + 1) /* of the worker that delivers it */
#define ACKNOWLEDGED 10
#define GARBAGE      11
byte file[EVERY + 1];
byte size;
byte backup[MESSAGES + EVERY + 1];

/* The rest of the server. */
bool begun;
byte come; /* messages */
byte workers_ended;
bool backup_ended;
bool ended;

/* What the properties look at, and nobody else. */
byte backed_up; /* number of the last record that was cut off after its backup */
byte on_disk;   /* number of the last record that a flush has covered */
bool copying;   /* the file is the backup thread's */
byte acknowledged;
byte tries_at_close;

/* For use within one step. */
hidden byte i;
hidden byte has_own_record, is_in_backup;

/* ---- the file ---- */

inline truncate_file(new_size)
{
	assert(!copying);
	do
	:: size > new_size ->
		size--;
		file[size] = NO_RECORD
	:: else -> break
	od
}

/* ---- mailbox.c: start ---- */

/* The beginning of a run; for one with a backup due, a file as full as it gets. */
inline mailbox_begin()
{
	atomic {
		mutex_lock();
		if
		:: true
		:: true ->
			for (i : 0 .. EVERY - 1) {
				file[i] = ACKNOWLEDGED
			}
			size = EVERY;
			acknowledged = EVERY;
			delivered = EVERY;
			length = EVERY;
			on_disk = EVERY;
			backup_due = true;
			backup_asked = true;
			if
			:: true
			:: true ->
				for (i : 1 .. EVERY) {
					backup[i] = ACKNOWLEDGED
				}
				backup_made = true
			fi
		fi;
		flushed = delivered;
		flushed_length = length;
		cond_signal_one(BACKUP_NEEDED, BACKUP);
		mutex_unlock()
	}
}

/* ---- mailbox.c: delivery ---- */

inline cut_back()
{
	if
	:: true ->
		truncate_file(length);
		torn = false
	:: true ->
		for (i : length .. size - 1) {
			file[i] = GARBAGE
		}
		torn = true
	fi
}

inline append(error)
{
	if
#if MUTANT == TORN_NOT_CUT_BACK
	:: false -> skip
#else
	:: torn ->
		cut_back();
		error = torn
#endif
	:: else
	fi;
	if
	:: error
	:: else ->
		assert(!backup_due);
		assert(!refusing);
		assert(!copying);
		assert(size == length);
		if
		:: true ->
			file[size] = OWN;
			size++;
			delivered++;
			length++
		:: true ->
			file[size] = GARBAGE;
			size++;
			error = true;
#if MUTANT == FAILURE_TAKES_A_NUMBER
			delivered++;
#endif
			cut_back()
		fi
	fi;
	assert(delivered - backed_up == length)
}

inline wait_for_backup(error)
{
	atomic {
		waited = true;
		came_at = tries_begun;
#if MUTANT == ANY_TRY_WILL_DO
		begun_before = tries_finished;
#else
		begun_before = tries_begun;
#endif
		backup_asked = true;
		cond_signal_one(BACKUP_NEEDED, BACKUP)
	}
#if MUTANT == WAIT_UNTIL_MADE
	wait_while(backup_due, BACKUP_DONE);
#else
	wait_while(backup_due && tries_finished <= begun_before, BACKUP_DONE);
#endif
	atomic {
		error = backup_due && backup_failed;
		assert(!error || tries_finished > came_at);
		came_at = 0;
		begun_before = 0
	}
}

inline pass_turn()
{
	if
	:: !backup_due -> cond_signal(BACKUP_DONE)
	:: else
	fi
}

inline wait_for_turn(error)
{
	do
	:: !error && refusing -> cond_wait(FLUSH_DONE)
	:: !error && !refusing && backup_due -> wait_for_backup(error)
#if MUTANT == TURN_IS_NO_LOOP
		;
		break
#endif
	:: else -> break
	od
}

inline ask_for_backup_if_full()
{
	if
	:: delivered % EVERY == 0 ->
		backup_due = true;
		backup_asked = true;
#if MUTANT != DUE_NOT_SIGNALLED
		cond_signal_one(BACKUP_NEEDED, BACKUP)
#endif
	:: else
	fi
}

/* ---- mailbox.c: flush ---- */

inline take_back_unflushed()
{
#if MUTANT != NOT_REFUSING
	refusing = true;
#endif
	delivered = flushed;
	length = flushed_length;
#if MUTANT != REFUSED_STAYS_DUE
	backup_due = false;
	backup_asked = false;
#endif
#if MUTANT != TAKEN_BACK_IN_SILENCE
	cond_broadcast(BACKUP_DONE);
#endif
	cut_back()
}

inline flush()
{
	atomic {
		assert(!flushing && !copying);
		flush_number = delivered;
		flush_length = length;
		flushing = true;
		mutex_unlock()
	}
	/* fdatasync() */
	atomic {
		mutex_lock();
		flushing = false;
		if
		:: true ->
			on_disk = flush_number;
#if MUTANT == FLUSH_TAKES_ALL
			flushed = delivered;
			flushed_length = length;
#else
			flushed = flush_number;
			flushed_length = flush_length;
#endif
#if MUTANT != FLUSH_NOT_SIGNALLED
			cond_signal_one(BACKUP_NEEDED, BACKUP)
#endif
		:: true -> take_back_unflushed()
		fi;
		cond_broadcast(FLUSH_DONE);
		flush_number = 0;
		flush_length = 0
	}
}

#if MUTANT == FLUSH_WAITS_FOR_BACKUP
#define FLUSH_MUST_WAIT (flushing || entering > 0)
#else
#define FLUSH_MUST_WAIT (flushing || (entering > 0 && !backup_due))
#endif

inline wait_for_flush(number, error)
{
	awaiting_flush++;
	do
	:: flushed < number && !refusing && FLUSH_MUST_WAIT -> cond_wait(FLUSH_DONE)
	:: flushed < number && !refusing && !FLUSH_MUST_WAIT -> flush()
	:: else -> break
	od;
	atomic {
		error = flushed < number;
		awaiting_flush--;
		if
#if MUTANT == REFUSING_FOR_EVER
		:: false -> skip
#else
		:: awaiting_flush == 0 && refusing ->
			refusing = false;
			cond_broadcast(FLUSH_DONE)
#endif
		:: else
		fi
	}
}

/* The message has been acknowledged: it must be there, once, under its number. */
inline acknowledge(number)
{
	has_own_record = (number > backed_up ->
	    file[number - backed_up - 1] == OWN : backup[number] == OWN);
	assert(has_own_record);
	assert(!sync || number <= on_disk);
	if
	:: number > backed_up -> file[number - backed_up - 1] = ACKNOWLEDGED
	:: else
	fi;
	if
	:: backup[number] != NO_RECORD -> backup[number] = ACKNOWLEDGED
	:: else
	fi;
	acknowledged++
}

/* The message has been refused: it must not be there. */
inline refuse()
{
	for (i : 0 .. EVERY - 1) {
		assert(file[i] != OWN)
	}
	for (i : 1 .. MESSAGES + EVERY) {
		assert(backup[i] != OWN)
	}
}

inline mailbox_deliver(number, error)
{
	atomic {
		mutex_lock();
		entering++
	}
	wait_for_turn(error);
	atomic {
		if
		:: error
		:: else -> append(error)
		fi;
		entering--;
		if
		:: error
		:: else ->
			number = delivered;
			ask_for_backup_if_full();
			if
			:: sync
			:: else ->
				flushed = delivered;
				flushed_length = length
			fi
		fi;
		if
#if MUTANT == TURN_NOT_PASSED
		:: false -> skip
#elif MUTANT == REFUSED_PASS_NOTHING
		:: (waited || sync) && !error -> pass_turn()
#else
		:: waited || sync -> pass_turn()
#endif
		:: else
		fi;
		waited = false;
		if
#if MUTANT != REFUSED_LEAVE_NO_FLUSH
		:: error && entering == 0 -> cond_broadcast(FLUSH_DONE)
#endif
		:: else
		fi
	}
	if
	:: !error && sync -> wait_for_flush(number, error)
	:: else
	fi;
	atomic {
		mutex_unlock();
		if
		:: error -> refuse()
		:: else -> acknowledge(number)
		fi;
		number = 0;
		error = false
	}
}

/* ---- mailbox.c: backup ---- */

#if MUTANT == BACKUP_BEFORE_FLUSH
#define BACKUP_IS_NEEDED (backup_due && backup_asked)
#else
#define BACKUP_IS_NEEDED (backup_due && backup_asked && flushed == delivered)
#endif

inline mailbox_await_backup(needed, already_made)
{
	mutex_lock();
	wait_while(!BACKUP_IS_NEEDED && !closing, BACKUP_NEEDED);
	atomic {
		needed = BACKUP_IS_NEEDED;
		if
		:: needed ->
#if MUTANT != ASKED_CLEARED_LATE
			backup_asked = false;
#endif
#if MUTANT == DUE_CLEARED_EARLY
			backup_due = false;
#endif
			tries_begun++;
#if MUTANT != MADE_TWICE
			already_made = backup_made;
#endif
			copying = true;
			assert(flushed == delivered);
			assert(delivered % EVERY == 0);
			assert(length == EVERY || (backup_made && length == 0))
		:: else
		fi;
		mutex_unlock()
	}
}

inline look_into_backup()
{
	is_in_backup = true;
	for (i : 0 .. EVERY - 1) {
		is_in_backup = is_in_backup && (i >= length || backup[backed_up + 1 + i] == file[i])
	}
}

inline begin_anew(error)
{
	if
	:: true ->
		look_into_backup();
		assert(is_in_backup);
		truncate_file(0);
		backed_up = backed_up + length;
		length = 0;
		flushed_length = 0;
		if
		:: true
		:: true -> error = true
		fi
	:: true -> error = true
	fi;
	if
	:: error
	:: else ->
		backup_due = false;
		backup_asked = false;
		backup_made = false
	fi
}

inline mailbox_backup_finished(error)
{
	atomic {
		mutex_lock();
		copying = false;
#if MUTANT == EMPTIED_UNCOPIED
		error = false;
#endif
		if
		:: error
		:: else ->
			backup_made = true;
			begin_anew(error)
		fi;
#if MUTANT == ASKED_CLEARED_LATE
		backup_asked = false;
#endif
		backup_failed = error;
		tries_finished++;
		if
		:: !error -> pass_turn()
#if MUTANT == FAILURE_WAKES_ONE
		:: error -> cond_signal(BACKUP_DONE)
#else
		:: error -> cond_broadcast(BACKUP_DONE)
#endif
		fi;
		mutex_unlock()
	}
}

/* ---- mailbox.c: end ---- */

inline mailbox_close()
{
	atomic {
		mutex_lock();
		closing = true;
#if MUTANT != CLOSE_ASKS_NOTHING
		backup_asked = backup_due;
#endif
		cond_signal_one(BACKUP_NEEDED, BACKUP);
		tries_at_close = tries_begun;
		mutex_unlock()
	}
}

/* ---- the threads ---- */

active [WORKERS] proctype worker()
{
	byte number, begun_before, came_at, flush_number, flush_length;
	bool error, waited;

	begun;
	do
	:: atomic { come < MESSAGES -> come++ }
		mailbox_deliver(number, error)
	:: else -> break
	od;
	workers_ended++
}

/* The copy gets its name in one step, or not at all. */
inline backup_make(error)
{
	atomic {
		if
		:: true ->
			look_into_backup();
			assert(!is_in_backup);
			for (i : 0 .. EVERY - 1) {
				backup[backed_up + 1 + i] = file[i]
			}
		:: true -> error = true
		fi
	}
}

active proctype backup_thread()
{
	bool needed, already_made, error;

	assert(_pid == BACKUP);
	do
	:: mailbox_await_backup(needed, already_made);
		if
		:: needed
		:: else -> break
		fi;
		error = false;
		if
		:: already_made
		:: else -> backup_make(error)
		fi;
		mailbox_backup_finished(error);
		already_made = false;
		error = false
	od;
	backup_ended = true
}

inline check_end()
{
	atomic {
		assert(delivered == acknowledged && flushed == delivered);
		assert(!flushing && !refusing && awaiting_flush == 0 && entering == 0);
		assert(!backup_due || tries_begun > tries_at_close);
		for (i : 1 .. backed_up) {
			assert(backup[i] == ACKNOWLEDGED)
		}
		for (i : 0 .. length - 1) {
			assert(file[i] == ACKNOWLEDGED)
		}
	}
}

active proctype main_thread()
{
	atomic {
		select(spurious : 0 .. SPURIOUS);
		if
		:: sync = true
		:: sync = false
		fi
	}
	mailbox_begin();
	begun = true;
	workers_ended == WORKERS; /* pool_join() */
	if
	:: true /* The stop comes at any time, */
	:: true -> timeout; /* or when there is nothing else to happen. */
		assert(!backup_due || backup_failed)
	fi;
	mailbox_close();
	backup_ended; /* pthread_join() */
	check_end();
	ended = true
}

ltl ends { <> ended }
