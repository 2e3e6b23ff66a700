/*
 * NAME
 *	monitor - a mutex and its condition variables, as POSIX promises them and no better
 *
 * DESCRIPTION
 *	A model includes this file after it has defined
 *
 *	THREADS		how many processes use the monitor; their _pid counts from 0
 *	INVARIANT	what holds while no process is inside; checked on each way out
 *
 *	and names each condition variable with a number above 0. The three processes 0, 1 and 2 are
 *	those of which cond_signal() wakes any one; a variable on which a single thread waits is
 *	signalled with cond_signal_one().
 *
 *	pthread_cond_wait() gives up the mutex and falls asleep in one step. A signal wakes one
 *	sleeper, whichever it likes, and is lost if none sleeps. A woken one must take the mutex
 *	again like any other, so that another thread can come in before it.
 *
 *	A sleeper may also wake for no reason, but only `spurious` times in a run: if it always
 *	could, no wake-up would ever be missed. A model chooses the number, from 0 up, at its start.
 */

#define NONE  255
#define NOTHING 0

byte owner = NONE; /* the process that holds the mutex */
byte asleep_on[THREADS];
byte spurious;
hidden byte sleeper; /* index of cond_broadcast() */

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
		asleep_on[_pid] = variable;
		owner = NONE
	}
	atomic {
		if
		:: owner == NONE && asleep_on[_pid] == NOTHING
		:: owner == NONE && asleep_on[_pid] != NOTHING && spurious > 0 ->
			spurious--;
			asleep_on[_pid] = NOTHING
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

/* The wrong one, for mutants: if (condition) pthread_cond_wait(variable) */
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
		:: asleep_on[0] == variable -> asleep_on[0] = NOTHING
		:: asleep_on[1] == variable -> asleep_on[1] = NOTHING
		:: asleep_on[2] == variable -> asleep_on[2] = NOTHING
		:: else
		fi
	}
}

inline cond_signal_one(variable, thread)
{
	atomic {
		if
		:: asleep_on[thread] == variable -> asleep_on[thread] = NOTHING
		:: else
		fi
	}
}

inline cond_broadcast(variable)
{
	atomic {
		for (sleeper : 0 .. THREADS - 1) {
			if
			:: asleep_on[sleeper] == variable -> asleep_on[sleeper] = NOTHING
			:: else
			fi
		}
		sleeper = 0
	}
}

