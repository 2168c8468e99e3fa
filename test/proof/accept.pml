/*
 * One key: a client that retries, another process beside the one it asks, the database and what a power cut or a failover leaves of
 * it. docs/model.md says what is left out, and what the budget bounds.
 */

#ifndef TROUBLES
#define TROUBLES 3
#endif
#ifndef TRIES
#define TRIES 3
#endif

mtype:step = { off, looking, writing, waiting, asking, confirming, accepted_here, replayed_here };

/* The row of the key, with the number of the email it was answered with; 0: there is none. */
byte key, durable_key;
byte emails, durable_emails, numbers;

/* A request in each of two processes: how far it is, what it would answer. */
mtype:step step[2];
byte answer[2];
/* All that it rests on is where a power cut, or a failover, leaves it. */
bit is_safe[2];

byte troubles, tries;
/* What the client was told. */
byte told;

#define may_go_wrong (troubles < TROUBLES)

inline forget(p) { step[p] = off; answer[p] = 0; is_safe[p] = 0 }

/* The log is synced, or the standby has it: what was committed before may be said. */
inline make_safe() {
  durable_key = key; durable_emails = emails; is_safe[0] = 1; is_safe[1] = 1
}

inline accept(p) {
  numbers++; key = numbers; emails++; answer[p] = numbers; is_safe[p] = 0
}

proctype Process(byte p) {
end:
  do
  /* The key is looked up before anything else. */
  :: atomic {
       step[p] == looking ->
       if
       :: key != 0 ->
          answer[p] = key;
#ifdef REPLAYS_BEFORE_SYNC
          step[p] = replayed_here; is_safe[p] = 1
#else
          step[p] = confirming; is_safe[p] = 0
#endif
       :: else -> step[p] = writing
       fi
     }
  /* One transaction writes key, email and answer, unless another was faster. */
  :: atomic {
       step[p] == writing ->
       if
       :: key != 0 -> step[p] = looking
       :: else ->
#ifdef ANSWERS_EARLY
          /* It is answered while its commit is under way. */
          answer[p] = numbers + 1; is_safe[p] = 1; step[p] = accepted_here;
          if :: accept(p); is_safe[p] = 1 :: may_go_wrong -> troubles++; numbers++ fi
#else
          if
          :: accept(p); step[p] = waiting
#ifdef ANSWERS_BEFORE_SYNC
             ; is_safe[p] = 1
#endif
          /* The answer to the COMMIT is lost: it has happened, or it has not. */
          :: may_go_wrong -> troubles++; accept(p); step[p] = asking
          :: may_go_wrong -> troubles++; numbers++; answer[p] = numbers; step[p] = asking
          fi
#endif
       fi
     }
  :: atomic { step[p] == waiting && is_safe[p] -> step[p] = accepted_here }
  /* What became of it is found out by a commit that waits. */
  :: atomic {
       step[p] == asking ->
#ifdef BELIEVES_IN_COMMITS
       step[p] = accepted_here
#else
       if
       :: key == answer[p] ->
#ifdef TRUSTS_SIGHT
          step[p] = accepted_here
#else
          is_safe[p] = 0; step[p] = waiting
#endif
       :: else -> step[p] = looking
       fi
#endif
     }
  /* A replay is an acknowledgement like the first one: it is read again by a commit that waits. */
  :: atomic {
       step[p] == confirming && is_safe[p] -> step[p] = replayed_here
     }
  /* Answered, or the answer is lost on its way. */
  :: atomic {
       step[p] == accepted_here || step[p] == replayed_here ->
       if
       :: printf("process %d answers %d\n", p, answer[p]);
          assert(told == 0 || told == answer[p]);
          told = answer[p]
       :: may_go_wrong -> troubles++; printf("an answer is lost\n")
       fi;
       forget(p)
     }
  od
}

proctype Store() {
end:
  do
  :: atomic {
       durable_key != key || durable_emails != emails ||
       (step[0] == waiting && !is_safe[0]) || (step[1] == waiting && !is_safe[1]) ||
       (step[0] == confirming && !is_safe[0]) || (step[1] == confirming && !is_safe[1]) ->
       make_safe()
     }
  od
}

/* Whatever waited for a commit that is gone is told so. */
inline undo(p) {
  if
  :: step[p] == waiting && !is_safe[p] -> step[p] = asking
  :: step[p] == confirming && !is_safe[p] -> step[p] = looking
  :: else
  fi
}

proctype Fate() {
end:
  do
  :: atomic { may_go_wrong -> troubles++; forget(0); printf("process 0 dies\n") }
  :: atomic { may_go_wrong -> troubles++; forget(1); printf("process 1 dies\n") }
  :: atomic {
       may_go_wrong -> troubles++; key = durable_key; emails = durable_emails;
       if
       :: forget(0); forget(1); printf("the power is cut\n")
       :: undo(0); undo(1); printf("a synchronous standby takes over\n")
       fi
     }
  od
}

/* It asks, and asks again under the same key, one or both processes, also after an answer, until a try has had one. */
proctype Client() {
end:
  do
  :: atomic { tries < TRIES && step[0] == off -> tries++; step[0] = looking }
  :: atomic { tries < TRIES && step[1] == off -> tries++; step[1] = looking }
  od
}

active proctype Judge() {
end:
  atomic {
    timeout ->
    printf("AT THE END key %d, told %d, %d emails\n", key, told, emails);
    assert(emails <= 1);
    assert(told == 0 || (key == told && emails == 1));
    assert(step[0] == off && step[1] == off);
    assert(told != 0 || troubles > 0)
  }
}

init {
  atomic {
    step[0] = off; step[1] = off;
    run Process(0); run Process(1); run Store(); run Fate(); run Client()
  }
}
