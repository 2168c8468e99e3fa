/*
 * One delivery under `hold`: two workers, a relay, the database, chores, an operator, and what may befall them. Each edge of
 * src/core/delivery.ts is one step. What befalls them is chosen by one of DEATHS (processes die), POWER (so does the machine, or
 * a synchronous standby takes over), BACK (a backup is put back, or a standby that lags takes over). docs/model.md says what is
 * left out, and what the budgets bound.
 */

#ifndef TROUBLES
#define TROUBLES 3
#endif
#ifndef DEEDS
#define DEEDS 1
#endif

mtype:state = { queued, sending, handoff, in_doubt, sent, bounced, failed, canceled };
mtype:place = { idle, claiming, claimed, gated, dotted, unreached, listening };
mtype:answer = { none, yes, later, no };

typedef Row {
  mtype:state state;
  byte attempt;
  byte handoff_attempt;
  bit possible_duplicate;
  byte worker;
  /* The row of `settings` that every claim looks at. */
  bit holding;
}

#define copy(to, from) \
  to.state = from.state; to.attempt = from.attempt; to.handoff_attempt = from.handoff_attempt; \
  to.possible_duplicate = from.possible_duplicate; to.worker = from.worker; to.holding = from.holding

/* What everybody sees. */
Row row;
#ifdef POWER
/* What a power cut, or a synchronous standby, leaves. */
Row disk;
#endif
#ifdef BACK
/* A backup, or a standby that lags. */
Row old;
bit has_old, went_back;
#endif

/* Of each worker: how far its attempt is, which one that is, what the relay has said to its dot, whether its last commit is safe. */
mtype:place place[2];
byte attempt[2];
mtype:answer answered[2];
bit is_safe[2];

/* How much has gone wrong, and what people have done. */
byte troubles, deeds;
bit was_put_off, is_resolved;

/* What really happened, whatever the database remembers: dots that no recorded 4yz has answered, and the operator's leave for more. */
byte unresolved, agains;
bit was_taken, was_refused, operator_said_sent, operator_abandoned;
bit cancel_is_committed, cancel_is_told, cancel_is_looked_up, is_to_be_judged;
/* The attempt that "send it again" has left behind. */
byte again_attempt;
#ifdef POWER
bit undo_is_committed;
#endif

#define nobody 0
#define named(w) (w + 1)
#define the_dead 9
#define lives(worker) (worker != the_dead)
#define may_go_wrong (troubles < TROUBLES)

/* `ends`: whoever holds the delivery is fenced from here on. */
inline end_attempt() { row.attempt++; row.worker = nobody }

inline put_in_doubt() { row.state = in_doubt; row.worker = nobody }

inline crash(w) {
  if :: row.worker == named(w) -> row.worker = the_dead :: else fi;
#ifdef POWER
  if :: disk.worker == named(w) -> disk.worker = the_dead :: else fi;
#endif
#ifdef BACK
  if :: old.worker == named(w) -> old.worker = the_dead :: else fi;
#endif
  place[w] = idle; attempt[w] = 0; answered[w] = none; is_safe[w] = 0
}

#define is_open (row.state == handoff || row.state == in_doubt || row.state == queued || row.state == sending)
#ifdef VERDICTS_UNFENCED
#define is_of_gate(w) (1)
#else
#define is_of_gate(w) (row.handoff_attempt == attempt[w])
#endif
#define is_own(w) (row.attempt == attempt[w])

#ifdef UNFENCED
#define is_fenced_in(w) (1)
#else
#define is_fenced_in(w) is_own(w)
#endif
#ifdef GATES_WHILE_HOLDING
#define is_being_held 0
#else
#define is_being_held row.holding
#endif
/* Attempts of a history that is gone may be under way: their numbers are not given again. */
#ifdef REUSES_ATTEMPTS
#define far_enough 1
#else
#define far_enough 16
#endif

/* What was held stays so: in a history that is gone it may have been put off, and sent again, before. */
#ifdef PUT_OFF_ENDS_HOLDS
#define was_held 0
#else
#define was_held (row.attempt > row.handoff_attempt + 1)
#endif

/* It may be recorded twice, where what became of the first commit was not known. */
inline resolve() {
  if :: !is_resolved -> is_resolved = 1; unresolved-- :: else fi
}

/* What the relay said to the dot, recorded: also when the delivery was put in doubt, or queued again, since. */
inline settle(w) {
  if
  :: answered[w] == yes && is_of_gate(w) && is_open ->
     end_attempt(); row.state = sent; printf("worker %d: sent is recorded\n", w)
  :: answered[w] == no && is_of_gate(w) && is_open ->
     end_attempt(); row.state = bounced; printf("worker %d: bounced is recorded\n", w)
  :: answered[w] == later && is_of_gate(w) && (row.state == handoff || row.state == in_doubt) && !was_held ->
     end_attempt(); row.state = queued; resolve(); printf("worker %d: put off is recorded\n", w)
  :: else -> printf("worker %d: its verdict finds no row\n", w)
  fi
}

/* Nobody learns of a commit before it is where a power cut, or a failover, leaves it. */
inline says_when_safe(w) {
#ifdef POWER
  is_safe[w] = 0
#else
  is_safe[w] = 1
#endif
}

inline dot(w) {
  printf("worker %d: A DOT LEAVES, attempt %d\n", w, attempt[w]);
  /* A dot follows another only where that one is recorded as put off, or an operator wants it. */
  assert(unresolved <= agains);
  assert(!cancel_is_told);
  unresolved++;
  if
  :: answered[w] = yes; was_taken = 1; printf("the relay takes it\n")
  :: answered[w] = no; was_refused = 1; printf("the relay refuses it\n")
  :: !was_put_off && may_go_wrong -> troubles++; was_put_off = 1; answered[w] = later; printf("the relay puts it off\n")
  fi
}

proctype Worker(byte w) {
end:
  do
  :: atomic {
       place[w] == idle && row.state == queued && !row.holding ->
       end_attempt(); row.state = sending; row.worker = named(w); answered[w] = none;
       if
       :: attempt[w] = row.attempt; place[w] = claiming; says_when_safe(w);
          printf("worker %d: claims attempt %d\n", w, row.attempt)
       :: may_go_wrong -> troubles++; printf("worker %d: the answer to its claim is lost\n", w)
       fi
     }
  :: atomic { place[w] == claiming && is_safe[w] -> place[w] = claimed }
  /* Before the gate: the relay cannot be reached, or refuses the envelope. */
  :: atomic {
       (place[w] == claimed || place[w] == gated) && may_go_wrong ->
       troubles++; place[w] = unreached; printf("worker %d: its session ends before the dot\n", w)
     }
  :: atomic {
       place[w] == claimed ->
       if
       :: row.state == sending && is_own(w) ->
          was_refused = 1; row.state = bounced; row.worker = nobody; printf("worker %d: refused before the dot\n", w)
       :: else
       fi;
       place[w] = idle
     }
  /* The gate. */
  :: atomic {
       place[w] == claimed ->
       if
       :: row.state == sending && is_fenced_in(w) && !is_being_held ->
          if
          :: row.state = handoff; row.handoff_attempt = row.attempt; place[w] = gated;
             printf("worker %d: its gate commits\n", w)
          :: may_go_wrong -> troubles++; row.state = handoff; row.handoff_attempt = row.attempt;
             place[w] = unreached; printf("worker %d: its gate commits, and the answer is lost\n", w)
          :: may_go_wrong -> troubles++; place[w] = unreached; printf("worker %d: its gate is lost\n", w)
          fi
       :: else ->
#ifdef ASKS_NOBODY
          place[w] = gated;
#else
          place[w] = idle;
#endif
          printf("worker %d: its gate stays shut\n", w)
       fi;
#ifdef GATES_BEFORE_SYNC
       is_safe[w] = 1
#else
       says_when_safe(w)
#endif
     }
  :: atomic { place[w] == gated && is_safe[w] -> place[w] = dotted; dot(w) }
  /* No dot has left: its own gate is taken back. */
  :: atomic {
       place[w] == unreached ->
       if
       :: (row.state == sending || row.state == handoff) && is_own(w) ->
          if :: row.handoff_attempt == row.attempt -> row.handoff_attempt = 0 :: else fi;
          row.state = queued; row.worker = nobody; printf("worker %d: unreached is recorded\n", w)
       :: else
       fi;
       place[w] = idle
     }
  /* The verdict. Where what became of its commit is not known, it is recorded again. */
  :: atomic {
       place[w] == dotted || place[w] == listening ->
       settle(w);
       if
       :: place[w] = idle; answered[w] = none
       :: may_go_wrong -> troubles++; place[w] = listening
       fi
     }
  /* None comes in time. It is listened for. */
  :: atomic {
       place[w] == dotted ->
       if
       :: (row.state == sending || row.state == handoff) && is_own(w) ->
#ifdef RETRIES_DOUBT
          row.state = queued; row.worker = nobody;
#else
          put_in_doubt();
#endif
          printf("worker %d: no verdict came\n", w)
       :: else
       fi;
       place[w] = listening
     }
  :: atomic { place[w] == listening -> place[w] = idle; answered[w] = none; printf("worker %d: none comes late\n", w) }
  od
}

#define has_it(w) (row.worker == named(w) && place[w] != idle && place[w] != listening)

/* An attempt that ended without a word: back to the queue, and held once too often. */
inline take_back() {
  end_attempt();
  if
  :: row.state = queued; printf("a claim is taken back\n")
  :: row.state = in_doubt; printf("a claim is taken back, and held\n")
  fi
}

/* What comes once a second in any process that lives. */
proctype Chores() {
end:
  do
#ifdef POWER
  /* The log is synced, or the standby has it: now what rests on it may be said. */
  :: atomic {
       disk.attempt != row.attempt || disk.state != row.state ->
       copy(disk, row); is_safe[0] = 1; is_safe[1] = 1;
       if :: cancel_is_committed -> cancel_is_told = 1 :: else fi;
       if :: undo_is_committed -> undo_is_committed = 0; agains-- :: else fi;
       printf("all of it is on the disk\n")
     }
#endif
  /* The lease is over, or its worker counts as dead. It may only have been paused. */
  :: atomic { row.state == sending && lives(row.worker) && may_go_wrong -> troubles++; take_back() }
  :: atomic {
       row.state == sending && !lives(row.worker) ->
#ifdef FORGETS_CLAIMS
       end_attempt(); row.state = failed; printf("a claim of the dead is given up\n")
#else
       take_back()
#endif
     }
  /* Its worker has claimed it without learning so. */
  :: atomic {
       row.state == sending && lives(row.worker) && !has_it(row.worker - 1) ->
       end_attempt(); row.state = queued; printf("a forgotten claim is given back\n")
     }
  /* No verdict in all the time there was for one, or its worker knows nothing of it, or is taken for dead. */
#ifndef FORGETS_HANDOFFS
  :: atomic {
       row.state == handoff && lives(row.worker) && (may_go_wrong || !has_it(row.worker - 1)) ->
       if :: has_it(row.worker - 1) -> troubles++ :: else fi;
       end_attempt();
#ifdef TAKEOVER_SENDS_AGAIN
       row.state = queued;
#else
       put_in_doubt();
#endif
       printf("a hand-off is taken from a worker that seems dead\n")
     }
#endif
  :: atomic {
       row.state == handoff && !lives(row.worker) ->
       end_attempt();
#ifdef SENDS_AGAIN
       row.state = queued;
#else
       put_in_doubt();
#endif
       printf("a hand-off of the dead is ended\n")
     }
#ifdef BACK
  /* The hold. */
  :: atomic {
       row.holding ->
       if
       :: row.state == queued || row.state == sending || row.state == in_doubt ->
          row.attempt = row.attempt + far_enough; put_in_doubt()
#ifndef FORGETS_HANDOFFS
       :: row.state == handoff -> row.attempt = row.attempt + far_enough; put_in_doubt()
#endif
       :: else
       fi;
       row.holding = 0; printf("what was open is held\n")
     }
  :: atomic { is_to_be_judged -> is_to_be_judged = 0; row.holding = 1; printf("it is noticed\n") }
#endif
  od
}

#define may_be_called_off ((row.state == queued || row.state == sending) && !row.possible_duplicate)

#ifdef UNDOES_BLINDLY
#define may_be_taken_back (row.state == queued || row.state == sending || row.state == handoff)
#else
#ifdef UNDOES_WHILE_HOLDING
#define may_be_taken_back (row.state == queued && row.attempt == again_attempt)
#else
#define may_be_taken_back (row.state == queued && row.attempt == again_attempt && !row.holding)
#endif
#endif

inline cancel() {
  end_attempt(); row.state = canceled; printf("it is canceled\n")
}

inline answer_cancel() {
#ifdef POWER
  cancel_is_committed = 1
#else
  cancel_is_told = 1
#endif
}

proctype Operator() {
end:
  do
  :: atomic {
       row.state == in_doubt && deeds < DEEDS ->
       deeds++; end_attempt();
       if
       :: row.state = sent; operator_said_sent = 1; printf("the operator says: sent\n")
       :: row.state = failed; operator_abandoned = 1; printf("the operator says: abandon\n")
       :: row.state = queued; row.possible_duplicate = 1; agains++; again_attempt = row.attempt;
          printf("the operator says: send again\n")
       fi
     }
  /* That answer is taken back, while it waits for whoever may claim it. */
  :: atomic {
       again_attempt != 0 && may_be_taken_back ->
       again_attempt = 0; row.possible_duplicate = 0; put_in_doubt(); printf("the operator takes that back\n");
#ifdef POWER
       undo_is_committed = 1
#else
       agains--;
       /* It has not left. */
       assert(unresolved <= agains + 1)
#endif
     }
  /* A cancel is answered once it is safe. Nothing is called off while a hold is under way. */
#ifdef CANCELS_BLINDLY
  :: atomic {
       may_be_called_off && !row.holding && deeds < DEEDS ->
       deeds++; cancel_is_looked_up = 1; printf("a cancel looks it up\n")
     }
  :: atomic {
       cancel_is_looked_up ->
       cancel_is_looked_up = 0;
       if :: may_be_called_off -> cancel() :: else fi;
       answer_cancel()
     }
#else
  :: atomic { may_be_called_off && !row.holding && deeds < DEEDS -> deeds++; cancel(); answer_cancel() }
#endif
  :: atomic {
       may_be_called_off && row.handoff_attempt == 0 && !row.holding && deeds < DEEDS ->
       deeds++; end_attempt(); row.state = queued; printf("it is rescheduled\n")
     }
  :: atomic {
       (row.state == queued || row.state == sending || row.state == handoff) && deeds < DEEDS ->
       deeds++; row.attempt = row.attempt + far_enough; put_in_doubt(); printf("the operator holds everything\n")
     }
  od
}

/* What was waited for is undone. */
inline lose_commit(w) {
  if
  :: place[w] == claiming && !is_safe[w] -> place[w] = idle
  :: place[w] == gated && !is_safe[w] -> place[w] = unreached
  :: else
  fi
}

proctype Fate() {
end:
  do
#ifdef DEATHS
  :: atomic { may_go_wrong -> troubles++; crash(0); printf("process 0 dies\n") }
  :: atomic { may_go_wrong -> troubles++; crash(1); printf("process 1 dies\n") }
#endif
#ifdef POWER
  :: atomic {
       may_go_wrong -> troubles++; copy(row, disk); cancel_is_committed = cancel_is_told; undo_is_committed = 0;
       if
       :: crash(0); crash(1); printf("the power is cut\n")
       :: printf("a synchronous standby takes over\n"); lose_commit(0); lose_commit(1)
       fi
     }
#endif
#ifdef BACK
  :: atomic { !has_old && !went_back -> has_old = 1; copy(old, row); printf("a copy is made\n") }
  :: atomic {
       has_old && !went_back ->
       went_back = 1; has_old = 0; copy(row, old);
       /* What was told before is gone with it: so says docs/operations.md. */
       cancel_is_told = 0;
       if
       :: crash(0); crash(1); printf("a backup is put back\n");
#ifndef LOSES_WITNESS
          row.holding = 1
#endif
       :: printf("a standby that lags takes over\n");
#ifdef JUDGES_LATE
          is_to_be_judged = 1
#else
          row.holding = 1
#endif
       fi
     }
#endif
  od
}

/* Where nothing can happen any more everything has ended, or is shown. */
active proctype Judge() {
end:
  atomic {
    timeout ->
    printf("AT THE END it is %e\n", row.state);
    assert(row.state != queued && row.state != sending && row.state != handoff);
    assert(row.state != sent || was_taken || operator_said_sent);
    assert(row.state != bounced || was_refused);
    assert(row.state != failed || operator_abandoned);
    assert(row.state != canceled || !was_taken);
    assert(!cancel_is_told || row.state == canceled)
  }
}

init {
  atomic {
    row.state = queued;
#ifdef POWER
    disk.state = queued;
#endif
    place[0] = idle; place[1] = idle;
    answered[0] = none; answered[1] = none;
    run Worker(0); run Worker(1); run Chores(); run Operator(); run Fate()
  }
}
