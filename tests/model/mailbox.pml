/*
 * NAME
 *	mailbox - model of monitor 2 (mailbox.c), its backup thread (backup.c) and its workers
 *
 * DESCRIPTION
 *	Scaled down to 3 workers that deliver 4 messages in all, one or two in a delivery, and a
 *	backup at every 2nd. An inline that has the name of a C function has its steps. The code under
 *	the mutex between two waits is mostly one step. A run of the model is one run of the server.
 *	Nondeterministic are
 *	- `sync`;
 *	- the start: with an empty mailbox, or with a backup due, or with one due that exists already;
 *	- the order of the threads, and the wake-ups of monitor.pml;
 *	- the number of messages in a delivery;
 *	- the result of each write, truncation, flush, copy and write of `mailbox.commit`;
 *	- the time of the stop.
 *
 *	A record is one unit long. Until it is acknowledged it has a mark of its own, by worker and
 *	index; after that, the mark ACKNOWLEDGED.
 *
 *	To have fewer states, a worker receives its messages when it locks the mutex, because no
 *	process can see them before. The workers are all alike: so they receive their first messages
 *	in the order of their _pid.
 *
 *	Properties
 *	- No deadlock: only the end of all processes has no next state. Each run reaches it (`ends`),
 *	  whatever fails: no process waits for ever, and the server stops from every state.
 *	- Only the head of the queue writes, one at a time, and not while a backup is due or being made;
 *	  there is nothing between two records.
 *	- Each record is completed once, in the order in which they were enqueued, and the numbers of
 *	  those stored follow one another. No delivery returns before all of its records are completed.
 *	- A backup is made once at every second message, of all records since the previous backup;
 *	  with `sync` all of them are flushed. The file is truncated only when they are in the backup.
 *	- A backup that is due is attempted without a request of the head and, if that has failed,
 *	  again at the stop. A record is refused because of a backup only if an attempt after the first
 *	  one has failed, which started after the record was queued. A record is refused because of a
 *	  write only if the write of this record alone has failed, or a torn record could not be rolled
 *	  back.
 *	- An acknowledged message has its own record under its own number, when it is acknowledged and
 *	  at the end; with `sync` this record is on the disk. A refused message has no record, and
 *	  `last_number` does not count it.
 *
 * MUTANTS
 *	-DMUTANT=NAME builds a mistake in. spin must find the error beside its name: a deadlock, or
 *	the failure of this assertion, which is written as spin prints it, or the beginning of that.
 *
 * BUGS
 *	A failed write leaves one torn unit, whatever its length. No batch ends at BATCH_FULL, and no
 *	write takes only a part of a batch. Other programs, and the contents of `mailbox.commit`, are in
 *	commit.pml alone. Here the write of `mailbox.commit` is only one more thing that can fail: after
 *	a write, a flush or a truncation and, in a roll back, before the truncation.
 */

#define TURN_IS_NO_LOOP          1 /* assert (head==_pid) */
#define TURN_WITHOUT_COMPLETED   2 /* deadlock */
#define NEXT_NOT_SIGNALLED       3 /* deadlock */
#define COMPLETED_NOT_SIGNALLED  4 /* deadlock */
#define TAIL_NOT_MOVED           5 /* deadlock */
#define LEAVES_AFTER_ONE         6 /* assert ((waiters[head].ahead+waiters[head].completed_count) */
#define HEAD_WRITES_ONE_BATCH    7 /* assert (waiters[_pid].completed_count==waiters[_pid].count) */
#define COUNT_MAX_IGNORED        8 /* assert ((length+count)<=2) */
#define GATHERS_COMPLETED        9 /* assert has_own_record */
#define DUE_SEEN_ONCE           10 /* assert !(backup_due) */
#define FIRST_ATTEMPT_IGNORED   11 /* assert (attempts_finished>(attempts_when_due+1)) */
#define DONE_IS_NO_LOOP         12 /* assert (attempts_finished>(attempts_when_due+1)) */
#define WAIT_FOR_SUCCESS        13 /* deadlock */
#define WAITER_WITHOUT_REQUEST  14 /* deadlock */
#define REQUEST_NOT_SIGNALLED   15 /* deadlock */
#define QUEUED_BY_FINISHED      16 /* assert (attempts_finished>waiters[_pid].attempts_when_queued) */
#define EARLIER_ATTEMPT_REFUSES 17 /* assert (attempts_finished>waiters[_pid].attempts_when_queued) */
#define REFUSES_COMPLETED_TOO   18 /* assert (head!=255) */
#define FLUSH_RESULT_IGNORED    19 /* assert (!(sync)||(number<=on_disk)) */
#define COMPLETED_BEFORE_FLUSH  20 /* assert (!(sync)||(number<=on_disk)) */
#define DUE_BEFORE_FLUSH        21 /* assert !(storing) */
#define FAILURE_TAKES_A_NUMBER  22 /* assert ((last_number-backed_up)==length) */
#define FAILURE_NOT_ROLLED_BACK 23 /* assert (size==length) */
#define TORN_NOT_ROLLED_BACK    24 /* assert (size==length) */
#define ALL_REFUSED_FOR_ONE     25 /* assert ((!(error)||(count==1))||torn) */
#define RETRY_COMPLETES_ALL     26 /* assert (error||(number==(last_stored+1))) */
#define DUE_NOT_SIGNALLED       27 /* assert (!(backup_due)||backup_failed) */
#define NEEDED_IS_NO_LOOP       28 /* deadlock */
#define DUE_CLEARED_EARLY       29 /* assert !(copying) */
#define REQUEST_CLEARED_LATE    30 /* assert (!(backup_due)||(attempts_started>attempts_at_close)) */
#define SUCCESS_NOT_SIGNALLED   31 /* deadlock */
#define FAILURE_NOT_SIGNALLED   32 /* deadlock */
#define FAILURE_NOT_COUNTED     33 /* deadlock */
#define TRUNCATED_UNCOPIED      34 /* assert is_in_backup */
#define EXISTS_STAYS            35 /* assert is_in_backup */
#define COPY_MADE_TWICE         36 /* assert !(is_in_backup) */
#define CLOSE_WITHOUT_REQUEST   37 /* assert (!(backup_due)||(attempts_started>attempts_at_close)) */
#define CLOSING_IS_ENOUGH       38 /* assert (!(backup_due)||(attempts_started>attempts_at_close)) */
#define FIRST_ATTEMPT_REFUSES   39 /* assert (attempts_finished>(attempts_when_due+1)) */
#define WAITER_REQUESTS_ONCE    40 /* deadlock */

#ifndef MUTANT
#define MUTANT 0
#endif

#ifndef MESSAGES
#define MESSAGES 4
#endif
#ifndef AT_ONCE
#define AT_ONCE 2 /* messages in a delivery, at most: COMPLETED_MAX in C */
#endif
#ifndef EVERY
#define EVERY 2 /* BACKUP_EVERY in C */
#endif
#ifndef SPURIOUS
#define SPURIOUS 1 /* spurious wake-ups in a run, at most */
#endif
#define WORKERS 3
#define BACKUP  3 /* the _pid of the backup thread; those of the workers begin at 0 */
#define THREADS 4 /* that wait on the monitor's condition variables */

#define INVARIANT \
	((torn || storing || size == length) && (!backup_due || last_number % EVERY == 0) && \
	    (head == NONE || waiters[head].completed_count < waiters[head].count))

/* The condition variables. */
#define BACKUP_NEEDED 1
#define BACKUP_DONE   2
#define TURN(worker)  (3 + worker)

#include "monitor.pml"

/* Contents of a unit: a record, by worker and index in the delivery, or another mark. */
#define NO_RECORD             0
#define RECORD(worker, index) (1 + worker * AT_ONCE + index)
#define ACKNOWLEDGED          20
#define GARBAGE               21

/* struct waiter; the index is its worker. A number of 0 says that the record was refused. */
typedef waiter {
	byte number[AT_ONCE];
	byte count, completed_count;
	byte next;
	/* Read by the properties only. */
	byte attempts_when_queued;
	byte ahead; /* records enqueued before its own */
};
waiter waiters[WORKERS];

/* struct mailbox and, of its `file`, last_number, length and torn. An error is only a bool. */
bool sync;
byte last_number, length;
bool torn, closing;
byte head = NONE, tail = NONE;
bool backup_due, backup_requested, backup_exists;
byte first_attempt, attempts_started, attempts_finished;
bool backup_failed;

/* The disk: a mark for each record, by position in the mailbox and by number in the backups. */
byte file[EVERY + 1];
byte size;
byte backup[MESSAGES + EVERY + 1];

/* The rest of the server. */
bool begun;
byte received_count; /* messages received so far */
byte used_workers;   /* workers that have received a message */
byte workers_ended;
bool backup_ended;
bool ended;

/* Read by the properties only. */
byte backed_up; /* number of the last record that was truncated after its backup */
byte on_disk;   /* number of the last record that a flush has covered */
bool copying;   /* the backup thread owns the file */
bool storing;   /* the head owns the file */
byte enqueued_in_all;  /* records enqueued so far */
byte completed_in_all; /* records stored or refused so far */
byte last_stored;      /* number of the last record stored */
byte acknowledged_count;
byte attempts_when_due; /* attempts_started when the last backup became due */
byte attempts_at_close; /* attempts_started in mailbox_close() */

/* For use within one step. */
hidden byte i, one, count_max, number;
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
#if MUTANT == FIRST_ATTEMPT_REFUSES
	first_attempt = attempts_started;
#else
	first_attempt = attempts_started + 1;
#endif
#if MUTANT != DUE_NOT_SIGNALLED
	cond_signal_one(BACKUP_NEEDED, BACKUP)
#endif
}

/* The start of a run; with a backup due, the file is full. */
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
			acknowledged_count = EVERY;
			last_stored = EVERY;
			last_number = EVERY;
			length = EVERY;
			on_disk = EVERY;
			if
			:: true
			:: true ->
				for (i : 1 .. EVERY) {
					backup[i] = ACKNOWLEDGED
				}
				backup_exists = true
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
	:: last_number % EVERY == 0 -> request_backup()
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
#if MUTANT == TAIL_NOT_MOVED
	tail = (tail == NONE -> _pid : tail);
#else
	tail = _pid;
#endif
	waiters[_pid].ahead = enqueued_in_all;
	enqueued_in_all = enqueued_in_all + waiters[_pid].count
}

/* Remove the head. `tail` and `next` are reset, unlike in C, to have fewer states. */
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

#if MUTANT == LEAVES_AFTER_ONE
#define IS_COMPLETED(worker) (waiters[worker].completed_count > 0)
#else
#define IS_COMPLETED(worker) (waiters[worker].completed_count == waiters[worker].count)
#endif

inline complete(many, failed)
{
	for (i : 1 .. many) {
		assert(head != NONE);
		assert(waiters[head].ahead + waiters[head].completed_count == completed_in_all);
		completed_in_all++;
		number = (failed -> 0 : last_number - many + i);
		assert(failed || number == last_stored + 1);
		last_stored = (failed -> last_stored : number);
		waiters[head].number[waiters[head].completed_count] = number;
		waiters[head].completed_count++;
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

#if MUTANT == GATHERS_COMPLETED
#define FIRST_UNCOMPLETED(worker) 0
#else
#define FIRST_UNCOMPLETED(worker) waiters[worker].completed_count
#endif

inline gather_batch()
{
	atomic {
#if MUTANT == COUNT_MAX_IGNORED
		count_max = EVERY;
#else
		count_max = EVERY - last_number % EVERY;
#endif
		one = head;
		do
		:: one != NONE ->
			for (i : FIRST_UNCOMPLETED(one) .. waiters[one].count - 1) {
				if
				:: count < count_max ->
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

/*
 * First case: success. Second: the failed write has left nothing in the file, but `mailbox.commit`
 * cannot be written. Third: that, or the truncation, fails.
 */
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

/* Write all records of the batch or, if that fails, roll back and write only the first. */
inline write_batch(failed)
{
	write_records(failed);
	if
#if MUTANT == ALL_REFUSED_FOR_ONE
	:: false -> skip
#else
	:: failed ->
		roll_back();
		storing = false;
		if
		:: torn
		:: else ->
#if MUTANT == RETRY_COMPLETES_ALL
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

/* Flush with `sync`, and write `mailbox.commit`; either may fail. */
inline commit_batch(failed)
{
	if
	:: sync ->
		atomic {
#if MUTANT == COMPLETED_BEFORE_FLUSH
			last_number = last_number + count;
			length = length + count;
			complete(count, false);
#elif MUTANT == DUE_BEFORE_FLUSH
			last_number = last_number + count;
			request_backup_if_full();
			last_number = last_number - count;
#endif
			mutex_unlock()
		}
		/* fdatasync() */
		atomic {
			mutex_lock();
#if MUTANT == COMPLETED_BEFORE_FLUSH
			last_number = last_number - count;
			length = length - count;
#endif
			if
			:: true -> on_disk = last_number + count
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
#if MUTANT == TORN_NOT_ROLLED_BACK
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
			last_number = last_number + count;
#endif
#if MUTANT != FAILURE_NOT_ROLLED_BACK
			roll_back()
#endif
		:: !failed ->
			last_number = last_number + count;
			length = length + count
		:: else
		fi;
		wrote = false;
		storing = false;
		assert(last_number - backed_up == length)
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
#if MUTANT == RETRY_COMPLETES_ALL
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

#if MUTANT == FIRST_ATTEMPT_IGNORED
#define DECISIVE_ATTEMPT (1 + attempts_when_queued)
#else
#define DECISIVE_ATTEMPT \
	(1 + (attempts_when_queued > first_attempt -> attempts_when_queued : first_attempt))
#endif

#if MUTANT == WAIT_FOR_SUCCESS
#define DECISIVE_HAS_FINISHED false
#elif MUTANT == EARLIER_ATTEMPT_REFUSES
#define DECISIVE_HAS_FINISHED (attempts_finished + 1 >= DECISIVE_ATTEMPT)
#else
#define DECISIVE_HAS_FINISHED (attempts_finished >= DECISIVE_ATTEMPT)
#endif

inline request_attempt()
{
#if MUTANT != WAITER_WITHOUT_REQUEST
	backup_requested = true;
#endif
#if MUTANT != REQUEST_NOT_SIGNALLED
	cond_signal_one(BACKUP_NEEDED, BACKUP)
#endif
}

inline wait_for_backup()
{
#if MUTANT == WAITER_REQUESTS_ONCE
	request_attempt();
#endif
	do
	:: atomic {
		backup_due && !DECISIVE_HAS_FINISHED ->
		if
#if MUTANT == WAITER_REQUESTS_ONCE
		:: false -> skip
#else
		:: attempts_started < DECISIVE_ATTEMPT -> request_attempt()
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
		assert(attempts_finished > waiters[_pid].attempts_when_queued);
		assert(attempts_finished > attempts_when_due + 1);
#if MUTANT == REFUSES_COMPLETED_TOO
		count = waiters[_pid].count;
#else
		count = waiters[_pid].count - waiters[_pid].completed_count;
#endif
		complete(count, true);
		count = 0;
		error = false
	}
}

/* The message has been acknowledged: its record must be there once, under its number. */
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
	acknowledged_count++
}

/* The message was refused, or its record has the mark ACKNOWLEDGED: no unit has its own mark. */
inline check_absent(mark)
{
	for (i : 0 .. EVERY) {
		assert(file[i] != mark)
	}
	for (i : 1 .. MESSAGES + EVERY) {
		assert(backup[i] != mark)
	}
}

/* Check the result of a delivery, and reset the waiter. */
inline check_deliveries()
{
	assert(waiters[_pid].completed_count == waiters[_pid].count);
	for (one : 0 .. waiters[_pid].count - 1) {
		number = waiters[_pid].number[one];
		if
		:: number > 0 -> acknowledge(RECORD(_pid, one))
		:: else
		fi;
		check_absent(RECORD(_pid, one));
		waiters[_pid].number[one] = 0
	}
	waiters[_pid].count = 0;
	waiters[_pid].completed_count = 0;
	waiters[_pid].attempts_when_queued = 0;
	waiters[_pid].ahead = 0
}

/* Choose the number of messages of a delivery: at least one, as long as any are left. */
inline choose(many)
{
	do
	:: many < AT_ONCE && received_count < MESSAGES ->
		received_count++;
		many++
	:: many > 0 -> break
	od
}

#if MUTANT == TURN_WITHOUT_COMPLETED
#define MUST_WAIT (head != _pid)
#else
#define MUST_WAIT (head != _pid && waiters[_pid].completed_count < waiters[_pid].count)
#endif

inline mailbox_deliver()
{
	atomic {
		received_count < MESSAGES && used_workers >= _pid && owner == NONE;
		used_workers = (used_workers > _pid -> used_workers : _pid + 1);
		choose(waiters[_pid].count);
		mutex_lock();
		waiters[_pid].attempts_when_queued = attempts_started;
#if MUTANT == QUEUED_BY_FINISHED
		attempts_when_queued = attempts_finished;
#else
		attempts_when_queued = attempts_started;
#endif
		enqueue()
	}
#if MUTANT == TURN_IS_NO_LOOP
	wait_if(MUST_WAIT, TURN(_pid));
#else
	wait_while(MUST_WAIT, TURN(_pid));
#endif
	do
	:: waiters[_pid].completed_count < waiters[_pid].count ->
		if
#if MUTANT == DUE_SEEN_ONCE
		:: backup_due && waiters[_pid].completed_count == 0 -> wait_for_backup()
#else
		:: backup_due -> wait_for_backup()
#endif
		:: else
		fi;
		if
		:: !error -> deliver_batch()
		:: else -> refuse()
		fi
#if MUTANT == HEAD_WRITES_ONE_BATCH
		;
		break
#endif
	:: else -> break
	od;
	atomic {
		mutex_unlock();
		attempts_when_queued = 0;
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
#if MUTANT != REQUEST_CLEARED_LATE
			backup_requested = false;
#endif
#if MUTANT == DUE_CLEARED_EARLY
			backup_due = false;
#endif
			attempts_started++;
#if MUTANT != COPY_MADE_TWICE
			job_exists = backup_exists;
#endif
			copying = true;
			assert(!storing);
			assert(!sync || on_disk == last_number);
			assert(last_number % EVERY == 0);
			assert(length == EVERY || (backup_exists && length == 0))
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
#if MUTANT != EXISTS_STAYS
		backup_exists = false
#endif
	fi
}

inline mailbox_finish_attempt()
{
	atomic {
		mutex_lock();
		copying = false;
#if MUTANT == TRUNCATED_UNCOPIED
		error = false;
#endif
		if
		:: error
		:: else ->
			backup_exists = true;
			truncate_after_backup()
		fi;
#if MUTANT == REQUEST_CLEARED_LATE
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
#if MUTANT != CLOSE_WITHOUT_REQUEST
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
	byte count;          /* of these, or of the records that refuse() refuses */
	bool error;
	bool wrote; /* of append_batch(): the file has changed */
	byte attempts_when_queued;
#if MUTANT == RETRY_COMPLETES_ALL
	byte retried;
#endif

	begun;
	do
	:: mailbox_deliver()
	:: received_count == MESSAGES -> break
	od;
	workers_ended++
}

/* The copy is renamed in one step, or not at all. */
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
	bool needed, job_exists, error;

	assert(_pid == BACKUP);
	do
	:: mailbox_wait_for_job();
		if
		:: needed
		:: else -> break
		fi;
		if
		:: job_exists
		:: else -> backup_create()
		fi;
		mailbox_finish_attempt();
		job_exists = false;
		error = false
	od;
	backup_ended = true
}

inline check_end()
{
	atomic {
		assert(last_number == acknowledged_count && last_number == last_stored);
		assert(completed_in_all == MESSAGES && enqueued_in_all == MESSAGES);
		assert(head == NONE && !storing);
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
	:: true /* mailbox_close() comes at any time after that, */
	:: true -> timeout; /* or when no other step is possible. */
		assert(!backup_due || backup_failed)
	fi;
	mailbox_close();
	backup_ended; /* pthread_join() */
	check_end();
	ended = true
}

ltl ends { <> ended }
