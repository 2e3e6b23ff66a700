/*
 * NAME
 *	monitor - a mutex and its condition variables, with the guarantees of POSIX only
 *
 * DESCRIPTION
 *	A model includes this file after it has defined
 *
 *	THREADS		number of processes that wait on its condition variables: _pid 0 and up
 *	INVARIANT	holds whenever the mutex is free; checked at each unlock and wait
 *
 *	and a number above 0 for each condition variable.
 *
 *	pthread_cond_wait() unlocks the mutex and begins to wait in one step. A signal wakes any one
 *	waiting process, and is lost if none waits. A process that was woken must lock the mutex
 *	again, so that another one can lock it first. cond_signal() wakes one of the processes 0, 1
 *	and 2; cond_signal_one() is for a variable on which only one process waits.
 *
 *	There are also spurious wake-ups, but only `spurious` in a run: without a limit they would
 *	hide every missed signal. A model chooses the limit, from 0, at its start.
 */

#define NONE    255 /* no process */
#define NOTHING 0   /* no condition variable */

byte owner = NONE; /* the process that holds the mutex */
byte waits_on[THREADS];
byte spurious;
hidden byte waiting; /* index of cond_broadcast() */

inline mutex_lock()
{
	atomic { owner == NONE -> owner = _pid }
}

inline mutex_unlock()
{
	atomic { assert(owner == _pid); assert(INVARIANT); owner = NONE }
}

inline cond_wait(variable)
{
	atomic {
		assert(owner == _pid);
		assert(INVARIANT);
		waits_on[_pid] = variable;
		owner = NONE
	}
	atomic {
		if
		:: owner == NONE && waits_on[_pid] == NOTHING
		:: owner == NONE && waits_on[_pid] != NOTHING && spurious > 0 ->
			spurious--;
			waits_on[_pid] = NOTHING
		fi;
		owner = _pid
	}
}

/* while (condition) pthread_cond_wait(variable) */
inline wait_while(condition, variable)
{
	do
	:: condition -> cond_wait(variable)
	:: else -> break
	od
}

/* The mistake of some mutants: if (condition) pthread_cond_wait(variable) */
inline wait_if(condition, variable)
{
	if
	:: condition -> cond_wait(variable)
	:: else
	fi
}

inline cond_signal(variable)
{
	atomic {
		if
		:: waits_on[0] == variable -> waits_on[0] = NOTHING
		:: waits_on[1] == variable -> waits_on[1] = NOTHING
		:: waits_on[2] == variable -> waits_on[2] = NOTHING
		:: else
		fi
	}
}

inline cond_signal_one(variable, thread)
{
	atomic {
		if
		:: waits_on[thread] == variable -> waits_on[thread] = NOTHING
		:: else
		fi
	}
}

inline cond_broadcast(variable)
{
	atomic {
		for (waiting : 0 .. THREADS - 1) {
			if
			:: waits_on[waiting] == variable -> waits_on[waiting] = NOTHING
			:: else
			fi
		}
		waiting = 0
	}
}

