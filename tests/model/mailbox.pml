/*
 * NAME
 *	mailbox - model of monitor 2 (mailbox.c), its backup thread (backup.c) and its workers
 *
 * DESCRIPTION
 *	Scaled down to 3 workers that deliver 4 messages between them, one or two at once, and a
 *	backup after every 2nd. Each inline has the name of the C function that it stands for, and
 *	its steps; what is done under the mutex between two waits is mostly one step. A run of the
 *	model is one run of the server. Left to chance are: with or without `sync`; an empty start,
 *	or one with a backup due, or made but not yet cut off; which threads are faster; how many
 *	messages a worker brings at once; whether each write, truncation, flush, copy and note
 *	succeeds; when the server stops; and all that monitor.pml says about wake-ups.
 *
 *	A record is one unit long and bears a mark of its own, by the worker that delivers it, until
 *	that is acknowledged, and then the mark ACKNOWLEDGED, wherever the record is by then.
 *
 *	To have fewer states, a worker comes by its messages when it gets the mutex, which nobody
 *	can tell from earlier; and the workers, who are all alike, have their first messages in the
 *	order of their numbers.
 *
 *	Properties
 *	- No deadlock: only the end of all processes has no next state. And each run gets there
 *	  (`ends`), whatever fails: no process waits for ever, and a stop ends from every state.
 *	- Only the head of the queue writes, one at a time, and not while a backup is due or being made;
 *	  there is nothing between two records.
 *	- Each record is completed once, in the order in which they were enqueued, and the
 *	  numbers of those stored follow one another. No delivery returns before all of its records are.
 *	- A backup is made at every second message exactly, of just the records since the last one,
 *	  with `sync` all of them flushed, and once. The file is emptied only when they are in the
 *	  backup.
 *	- A backup that is due is tried without a request and, if that has failed, once more at
 *	  the stop. A record is refused for it only if a later try has failed, which began after the
 *	  record came, and for a write only if it has failed alone, or could not be cut off.
 *	- A message acknowledged has its own record under its own number then and at the end and,
 *	  with `sync`, on the disk; one refused has none. `delivered` counts the former only.
 *
 * MUTANTS
 *	With -DMUTANT=NAME a mistake is built in. spin must find it, and must find just this: a
 *	deadlock, or the assertion named beside it, which is written as spin prints it.
 *
 * BUGS
 *	A failed write leaves one torn unit, whatever it was to write, and no write is too long
 *	for others to join. The note in `mailbox.commit` is only one more thing that can fail, after
 *	a write or a flush and before or after a truncation.
 */

#define TURN_IS_NO_LOOP         1 /* assert (head==_pid) */
#define TURN_WITHOUT_COMPLETED    2 /* deadlock */
#define NEXT_NOT_SIGNALLED      3 /* deadlock */
#define COMPLETED_NOT_SIGNALLED   4 /* deadlock */
#define LAST_NOT_MOVED          5 /* deadlock */
#define LEAVES_TOO_EARLY        6 /* assert ((waiters[head].ahead+waiters[head].completed) */
#define SERVES_ONCE             7 /* assert (waiters[_pid].completed==waiters[_pid].count) */
#define ROOM_IGNORED            8 /* assert ((length+count)<=2) */
#define COLLECTS_COMPLETED        9 /* assert has_own_record */
#define DUE_SEEN_ONCE          10 /* assert !(backup_due) */
#define FULL_ATTEMPT_FORGOTTEN      11 /* assert (attempts_finished>(attempts_when_due+1)) */
#define DONE_IS_NO_LOOP        12 /* assert (attempts_finished>(attempts_when_due+1)) */
#define WAIT_UNTIL_MADE        13 /* deadlock */
#define WAITER_ASKS_NOTHING    14 /* deadlock */
#define WAITER_ASKS_IN_SILENCE 15 /* deadlock */
#define ANY_ATTEMPT_WILL_DO        16 /* assert (attempts_finished>waiters[_pid].attempts_at_arrival) */
#define REFUSES_LATECOMERS     17 /* assert (attempts_finished>waiters[_pid].attempts_at_arrival) */
#define REFUSES_COMPLETED_TOO    18 /* assert (head!=255) */
#define FLUSH_RESULT_IGNORED   19 /* assert (!(sync)||(number<=on_disk)) */
#define COMPLETED_BEFORE_FLUSH   20 /* assert (!(sync)||(number<=on_disk)) */
#define DUE_BEFORE_FLUSH       21 /* assert !(storing) */
#define FAILURE_TAKES_A_NUMBER 22 /* assert ((delivered-backed_up)==length) */
#define FAILURE_NOT_CUT_BACK   23 /* assert (size==length) */
#define TORN_NOT_CUT_BACK      24 /* assert (size==length) */
#define ALL_REFUSED_FOR_ONE    25 /* assert ((!(error)||(count==1))||torn) */
#define RETRY_SETTLES_ALL      26 /* assert (error||(number==(numbered+1))) */
#define DUE_NOT_SIGNALLED      27 /* assert (!(backup_due)||backup_failed) */
#define NEEDED_IS_NO_LOOP      28 /* deadlock */
#define DUE_CLEARED_EARLY      29 /* assert !(copying) */
#define ASKED_CLEARED_LATE     30 /* assert (!(backup_due)||(attempts_started>attempts_at_close)) */
#define SUCCESS_NOT_SIGNALLED  31 /* deadlock */
#define FAILURE_NOT_SIGNALLED  32 /* deadlock */
#define FAILURE_NOT_COUNTED    33 /* deadlock */
#define EMPTIED_UNCOPIED       34 /* assert is_in_backup */
#define MADE_STAYS             35 /* assert is_in_backup */
#define MADE_TWICE             36 /* assert !(is_in_backup) */
#define CLOSE_ASKS_NOTHING     37 /* assert (!(backup_due)||(attempts_started>attempts_at_close)) */
#define CLOSING_IS_ENOUGH      38 /* assert (!(backup_due)||(attempts_started>attempts_at_close)) */
#define FULL_ATTEMPT_REFUSES        39 /* assert (attempts_finished>(attempts_when_due+1)) */
#define WAITER_ASKS_ONCE       40 /* deadlock */

#ifndef MUTANT
#define MUTANT 0
#endif

#ifndef MESSAGES
#define MESSAGES 4
#endif
#ifndef AT_ONCE
#define AT_ONCE 2 /* messages in a delivery, at most; MESSAGE_BATCH_MAX */
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
	((torn || storing || size == length) && (!backup_due || delivered % EVERY == 0) && \
	    (head == NONE || waiters[head].completed < waiters[head].count))

/* The condition variables. */
#define BACKUP_NEEDED 1
#define BACKUP_DONE   2
#define TURN(worker)  (3 + worker)

#include "monitor.pml"

/* The record of a worker by its index in the delivery, and what else a unit can hold. */
#define NO_RECORD             0
#define RECORD(worker, index) (1 + worker * AT_ONCE + index)
#define ACKNOWLEDGED          20
#define GARBAGE               21

/* struct waiter; whose it is, is its index. A number of 0 is an error. */
typedef waiter {
	byte number[AT_ONCE];
	byte count, completed;
	byte next;
	/* Read by the properties only. */
	byte attempts_at_arrival;
	byte ahead; /* records that had come before its own */
};
waiter waiters[WORKERS];

/* struct mailbox; of an error it is enough to know that there was one. */
bool sync;
byte delivered, length;
bool torn, closing;
byte head = NONE, tail = NONE;
bool backup_due, backup_requested, copy_done;
byte full_attempt, attempts_started, attempts_finished;
bool backup_failed;

/* The disk: a mark for each record, by position in the mailbox and by number in the backups. */
byte file[EVERY + 1];
byte size;
byte backup[MESSAGES + EVERY + 1];

/* The rest of the server. */
bool begun;
byte come; /* messages */
byte busy; /* workers that have had any */
byte workers_ended;
bool backup_ended;
bool ended;

/* Read by the properties only. */
byte backed_up; /* number of the last record that was cut off after its backup */
byte on_disk;   /* number of the last record that a flush has covered */
bool copying;   /* the file is the backup thread's */
bool storing;   /* the file is the head's */
byte joined;    /* records enqueued so far */
byte completed;   /* how many of them are stored or refused */
byte numbered;  /* number of the last that was completed as stored */
byte acknowledged;
byte attempts_when_due; /* begun when the mailbox became full */
byte attempts_at_close;

/* For use within one step. */
hidden byte i, one, space, number;
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

inline request_backup()
{
	backup_due = true;
	backup_requested = true;
	attempts_when_due = attempts_started;
#if MUTANT == FULL_ATTEMPT_REFUSES
	full_attempt = attempts_started;
#else
	full_attempt = attempts_started + 1;
#endif
#if MUTANT != DUE_NOT_SIGNALLED
	cond_signal_one(BACKUP_NEEDED, BACKUP)
#endif
}

/* The beginning of a run; for one with a backup due, a file as full as it gets. */
inline mailbox_resume()
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
			numbered = EVERY;
			delivered = EVERY;
			length = EVERY;
			on_disk = EVERY;
			if
			:: true
			:: true ->
				for (i : 1 .. EVERY) {
					backup[i] = ACKNOWLEDGED
				}
				copy_done = true
			fi;
			request_backup()
		fi;
		mutex_unlock()
	}
}

/* ---- mailbox.c: delivery ---- */

inline request_backup_if_full()
{
	if
	:: delivered % EVERY == 0 -> request_backup()
	:: else
	fi
}

inline enqueue()
{
	waiters[_pid].next = NONE;
	if
	:: head != NONE -> waiters[tail].next = _pid
	:: else -> head = _pid
	fi;
#if MUTANT == LAST_NOT_MOVED
	tail = (tail == NONE -> _pid : tail);
#else
	tail = _pid;
#endif
	waiters[_pid].ahead = joined;
	joined = joined + waiters[_pid].count
}

/* The first leaves. C does not mind what `last` and `next` are then; here states are to be few. */
inline dequeue()
{
	one = head;
	head = waiters[one].next;
	waiters[one].next = 0;
	tail = (head == NONE -> NONE : tail);
#if MUTANT != COMPLETED_NOT_SIGNALLED
	cond_signal_one(TURN(one), one)
#endif
}

#if MUTANT == LEAVES_TOO_EARLY
#define IS_COMPLETED(worker) (waiters[worker].completed > 0)
#else
#define IS_COMPLETED(worker) (waiters[worker].completed == waiters[worker].count)
#endif

inline complete(many, failed)
{
	for (i : 1 .. many) {
		assert(head != NONE);
		assert(waiters[head].ahead + waiters[head].completed == completed);
		completed++;
		number = (failed -> 0 : delivered - many + i);
		assert(failed || number == numbered + 1);
		numbered = (failed -> numbered : number);
		waiters[head].number[waiters[head].completed] = number;
		waiters[head].completed++;
		if
		:: IS_COMPLETED(head) -> dequeue()
		:: else
		fi
	}
	if
#if MUTANT == NEXT_NOT_SIGNALLED
	:: false -> skip
#else
	:: head != NONE -> cond_signal_one(TURN(head), head)
#endif
	:: else
	fi
}

#if MUTANT == COLLECTS_COMPLETED
#define FIRST_UNCOMPLETED(worker) 0
#else
#define FIRST_UNCOMPLETED(worker) waiters[worker].completed
#endif

inline gather_batch()
{
	atomic {
#if MUTANT == ROOM_IGNORED
		space = EVERY;
#else
		space = EVERY - delivered % EVERY;
#endif
		one = head;
		do
		:: one != NONE ->
			for (i : FIRST_UNCOMPLETED(one) .. waiters[one].count - 1) {
				if
				:: count < space ->
					records[count] = RECORD(one, i);
					count++
				:: else
				fi
			}
			one = waiters[one].next
		:: else -> break
		od
	}
}

/* In the second case the file is cut, but that is not noted. */
inline roll_back()
{
	if
	:: true ->
		truncate_file(length);
		torn = false
	:: true ->
		truncate_file(length);
		torn = true
	:: true ->
		for (i : length .. size - 1) {
			file[i] = GARBAGE
		}
		torn = true
	fi
}

inline write_records(failed)
{
	assert(head == _pid);
	assert(!storing);
	assert(!backup_due);
	assert(!copying);
	assert(size == length);
	assert(length + count <= EVERY);
	storing = true;
	if
	:: true ->
		for (i : 0 .. count - 1) {
			file[size] = records[i];
			size++
		}
	:: true ->
		file[size] = GARBAGE;
		size++;
		failed = true
	fi
}

/* Together or, if they cannot be written so, only the first. */
inline write_batch(failed)
{
	write_records(failed);
	if
#if MUTANT == ALL_REFUSED_FOR_ONE
	:: false -> skip
#else
	:: failed && count > 1 ->
		roll_back();
		storing = false;
		if
		:: torn
		:: else ->
#if MUTANT == RETRY_SETTLES_ALL
			retried = count;
#endif
			count = 1;
			failed = false;
			write_records(failed)
		fi
#endif
	:: else
	fi;
	assert(!failed || count == 1 || torn)
}

/* Flush and note, or only the latter; either may fail. */
inline commit_batch(failed)
{
	if
	:: sync ->
		atomic {
#if MUTANT == COMPLETED_BEFORE_FLUSH
			delivered = delivered + count;
			length = length + count;
			complete(count, false);
#elif MUTANT == DUE_BEFORE_FLUSH
			delivered = delivered + count;
			request_backup_if_full();
			delivered = delivered - count;
#endif
			mutex_unlock()
		}
		/* fdatasync() */
		atomic {
			mutex_lock();
#if MUTANT == COMPLETED_BEFORE_FLUSH
			delivered = delivered - count;
			length = length - count;
#endif
			if
			:: true -> on_disk = delivered + count
			:: true ->
#if MUTANT != FLUSH_RESULT_IGNORED
				failed = true
#endif
			fi
		}
	:: else ->
		if
		:: true
		:: true -> failed = true
		fi
	fi
}

inline append_batch(failed)
{
	atomic {
		if
#if MUTANT == TORN_NOT_CUT_BACK
		:: false -> skip
#else
		:: torn ->
			roll_back();
			failed = torn
#endif
		:: else
		fi;
		if
		:: failed
		:: else ->
			wrote = true;
			write_batch(failed)
		fi
	}
	if
	:: !failed -> commit_batch(failed)
	:: else
	fi;
	atomic {
		if
		:: wrote && failed ->
#if MUTANT == FAILURE_TAKES_A_NUMBER
			delivered = delivered + count;
#endif
#if MUTANT != FAILURE_NOT_CUT_BACK
			roll_back()
#endif
		:: !failed ->
			delivered = delivered + count;
			length = length + count
		:: else
		fi;
		wrote = false;
		storing = false;
		assert(delivered - backed_up == length)
	}
}

inline deliver_batch()
{
	gather_batch();
	append_batch(error);
	atomic {
		if
		:: error
		:: else -> request_backup_if_full()
		fi;
#if MUTANT == RETRY_SETTLES_ALL
		count = (retried > 0 -> retried : count);
		retried = 0;
#endif
#if MUTANT == COMPLETED_BEFORE_FLUSH
		if
		:: sync && !error
		:: else -> complete(count, error)
		fi;
#else
		complete(count, error);
#endif
		for (i : 0 .. EVERY - 1) {
			records[i] = NO_RECORD
		}
		count = 0;
		error = false
	}
}

#if MUTANT == FULL_ATTEMPT_FORGOTTEN
#define EARLIER attempts_at_arrival
#else
#define EARLIER (attempts_at_arrival > full_attempt -> attempts_at_arrival : full_attempt)
#endif

#if MUTANT == WAIT_UNTIL_MADE
#define ATTEMPT_HAS_ENDED false
#elif MUTANT == REFUSES_LATECOMERS
#define ATTEMPT_HAS_ENDED (attempts_finished >= EARLIER)
#else
#define ATTEMPT_HAS_ENDED (attempts_finished > EARLIER)
#endif

inline ask()
{
#if MUTANT != WAITER_ASKS_NOTHING
	backup_requested = true;
#endif
#if MUTANT != WAITER_ASKS_IN_SILENCE
	cond_signal_one(BACKUP_NEEDED, BACKUP)
#endif
}

inline wait_for_backup()
{
#if MUTANT == WAITER_ASKS_ONCE
	ask();
#endif
	do
	:: atomic {
		backup_due && !ATTEMPT_HAS_ENDED ->
		if
#if MUTANT == WAITER_ASKS_ONCE
		:: false -> skip
#else
		:: attempts_started <= EARLIER -> ask()
#endif
		:: else
		fi
	   };
		cond_wait(BACKUP_DONE)
#if MUTANT == DONE_IS_NO_LOOP
		;
		break
#endif
	:: else -> break
	od;
	error = backup_due && backup_failed
}

inline refuse()
{
	atomic {
		assert(backup_due && backup_failed);
		assert(attempts_finished > waiters[_pid].attempts_at_arrival);
		assert(attempts_finished > attempts_when_due + 1);
#if MUTANT == REFUSES_COMPLETED_TOO
		count = waiters[_pid].count;
#else
		count = waiters[_pid].count - waiters[_pid].completed;
#endif
		complete(count, true);
		count = 0;
		error = false
	}
}

/* The message has been acknowledged: it must be there, once, under its number. */
inline acknowledge(mark)
{
	has_own_record = (number > backed_up ->
	    file[number - backed_up - 1] == mark : backup[number] == mark);
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

/* It has been refused, or acknowledged once: it must not be there, or not a second time. */
inline look_for(mark)
{
	for (i : 0 .. EVERY) {
		assert(file[i] != mark)
	}
	for (i : 1 .. MESSAGES + EVERY) {
		assert(backup[i] != mark)
	}
}

/* What the caller sees of it, and a new beginning. */
inline check_deliveries()
{
	assert(waiters[_pid].completed == waiters[_pid].count);
	for (one : 0 .. waiters[_pid].count - 1) {
		number = waiters[_pid].number[one];
		if
		:: number > 0 -> acknowledge(RECORD(_pid, one))
		:: else
		fi;
		look_for(RECORD(_pid, one));
		waiters[_pid].number[one] = 0
	}
	waiters[_pid].count = 0;
	waiters[_pid].completed = 0;
	waiters[_pid].attempts_at_arrival = 0;
	waiters[_pid].ahead = 0
}

/* Let `many` messages come at once, one at least, as long as there are any left. */
inline choose(many)
{
	do
	:: many < AT_ONCE && come < MESSAGES ->
		come++;
		many++
	:: many > 0 -> break
	od
}

#if MUTANT == TURN_WITHOUT_COMPLETED
#define MUST_WAIT (head != _pid)
#else
#define MUST_WAIT (head != _pid && waiters[_pid].completed < waiters[_pid].count)
#endif

inline mailbox_deliver()
{
	atomic {
		come < MESSAGES && busy >= _pid && owner == NONE;
		busy = (busy > _pid -> busy : _pid + 1);
		choose(waiters[_pid].count);
		mutex_lock();
		waiters[_pid].attempts_at_arrival = attempts_started;
#if MUTANT == ANY_ATTEMPT_WILL_DO
		attempts_at_arrival = attempts_finished;
#else
		attempts_at_arrival = attempts_started;
#endif
		enqueue()
	}
#if MUTANT == TURN_IS_NO_LOOP
	wait_if(MUST_WAIT, TURN(_pid));
#else
	wait_while(MUST_WAIT, TURN(_pid));
#endif
	do
	:: waiters[_pid].completed < waiters[_pid].count ->
		if
#if MUTANT == DUE_SEEN_ONCE
		:: backup_due && waiters[_pid].completed == 0 -> wait_for_backup()
#else
		:: backup_due -> wait_for_backup()
#endif
		:: else
		fi;
		if
		:: !error -> deliver_batch()
		:: else -> refuse()
		fi
#if MUTANT == SERVES_ONCE
		;
		break
#endif
	:: else -> break
	od;
	atomic {
		mutex_unlock();
		attempts_at_arrival = 0;
		check_deliveries()
	}
}

/* ---- mailbox.c: backup ---- */

#define BACKUP_IS_NEEDED (backup_due && backup_requested)

inline mailbox_wait_for_job()
{
	mutex_lock();
#if MUTANT == NEEDED_IS_NO_LOOP
	wait_if(!BACKUP_IS_NEEDED && !closing, BACKUP_NEEDED);
#else
	wait_while(!BACKUP_IS_NEEDED && !closing, BACKUP_NEEDED);
#endif
	atomic {
#if MUTANT == CLOSING_IS_ENOUGH
		needed = BACKUP_IS_NEEDED && !closing;
#else
		needed = BACKUP_IS_NEEDED;
#endif
		if
		:: needed ->
#if MUTANT != ASKED_CLEARED_LATE
			backup_requested = false;
#endif
#if MUTANT == DUE_CLEARED_EARLY
			backup_due = false;
#endif
			attempts_started++;
#if MUTANT != MADE_TWICE
			job_copy_done = copy_done;
#endif
			copying = true;
			assert(!storing);
			assert(!sync || on_disk == delivered);
			assert(delivered % EVERY == 0);
			assert(length == EVERY || (copy_done && length == 0))
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

inline truncate_after_backup()
{
	if
	:: true ->
		look_into_backup();
		assert(is_in_backup);
		truncate_file(0);
		backed_up = backed_up + length;
		length = 0;
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
		backup_requested = false;
#if MUTANT != MADE_STAYS
		copy_done = false
#endif
	fi
}

inline mailbox_backup_finished()
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
			copy_done = true;
			truncate_after_backup()
		fi;
#if MUTANT == ASKED_CLEARED_LATE
		backup_requested = false;
#endif
		backup_failed = error;
#if MUTANT == FAILURE_NOT_COUNTED
		attempts_finished = attempts_finished + !error;
#else
		attempts_finished++;
#endif
		if
#if MUTANT == SUCCESS_NOT_SIGNALLED
		:: error -> cond_signal(BACKUP_DONE)
		:: else
#elif MUTANT == FAILURE_NOT_SIGNALLED
		:: !error -> cond_signal(BACKUP_DONE)
		:: else
#else
		:: true -> cond_signal(BACKUP_DONE)
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
		backup_requested = backup_due;
#endif
		cond_signal_one(BACKUP_NEEDED, BACKUP);
		attempts_at_close = attempts_started;
		mutex_unlock()
	}
}

/* ---- the threads ---- */

active [WORKERS] proctype worker()
{
	byte records[EVERY]; /* of deliver_batch() */
	byte count;          /* how many, or what refuse() refuses */
	bool error;
	bool wrote; /* append_batch(): the file is not as before */
	byte attempts_at_arrival;
#if MUTANT == RETRY_SETTLES_ALL
	byte retried;
#endif

	begun;
	do
	:: mailbox_deliver()
	:: come == MESSAGES -> break
	od;
	workers_ended++
}

/* The copy gets its name in one step, or not at all. */
inline backup_create()
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
	bool needed, job_copy_done, error;

	assert(_pid == BACKUP);
	do
	:: mailbox_wait_for_job();
		if
		:: needed
		:: else -> break
		fi;
		if
		:: job_copy_done
		:: else -> backup_create()
		fi;
		mailbox_backup_finished();
		job_copy_done = false;
		error = false
	od;
	backup_ended = true
}

inline check_end()
{
	atomic {
		assert(delivered == acknowledged && delivered == numbered);
		assert(completed == MESSAGES && joined == MESSAGES && head == NONE && !storing);
		assert(!backup_due || attempts_started > attempts_at_close);
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
	mailbox_resume();
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
