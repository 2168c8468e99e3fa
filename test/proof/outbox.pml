/*
 * One row of an outbox, two drains, and a service that knows its key for a while. docs/model.md says what is left out.
 */

#ifndef TROUBLES
#define TROUBLES 4
#endif

mtype:row = { unwritten, waiting, sent, parked };
mtype:step = { off, claimed, answered_yes, answered_cleared, answered_unknown };

mtype:row row = unwritten;
/* Who has the claim; 0: nobody. Tries are counted by it: no two claims have one name. */
byte claim, claims;
/* Since a request that may have been accepted. */
bit may_be_accepted;
/* Of that first request: its key is sure to be known still. */
bit key_is_young;

mtype:step step[2];
byte own[2];

byte accepted;
bit remembers;
byte troubles;
bit caller_rolled_back, parked_as_refused;

#define may_go_wrong (troubles < TROUBLES)
/* The claim whose request was the first that may have been accepted. */
byte first_claim;

#define lease_is_held(d) (claim == own[d])
#define was_first(d) (own[d] == first_claim)
#define has_claim(d) (claim == own[d] && row == waiting)

inline ask(d) {
  if
  :: remembers -> printf("drain %d: the answer is replayed\n", d)
  :: else -> accepted++; remembers = 1; printf("drain %d: accepted\n", d); assert(accepted <= 1)
  fi
}

proctype Drain(byte d) {
end:
  do
  /* What is overdue is parked, and what is claimed counts as possibly accepted, before anything is sent. */
  :: atomic {
       step[d] == off && row == waiting && claim == 0 ->
       if
#ifndef ASKS_BEYOND_THE_KEY
       :: may_be_accepted && !key_is_young -> row = parked; printf("drain %d: parked as unknown\n", d)
       :: else ->
#else
       ::
#endif
          claims++; claim = claims; own[d] = claims; step[d] = claimed;
#ifndef FORGETS_TRIES
          if :: !may_be_accepted -> may_be_accepted = 1; key_is_young = 1; first_claim = claims :: else fi
#else
          skip
#endif
       fi
     }
#ifdef KEY_OF_THE_CLAIM
  /* Another key each time. */
  :: atomic { step[d] == claimed && lease_is_held(d) -> remembers = 0; ask(d); step[d] = answered_yes }
#endif
  :: atomic {
       step[d] == claimed && lease_is_held(d) ->
       if
       :: ask(d); step[d] = answered_yes
       :: may_go_wrong -> troubles++; ask(d); step[d] = answered_unknown; printf("drain %d: no answer comes\n", d)
       :: may_go_wrong -> troubles++; step[d] = answered_unknown; printf("drain %d: it does not arrive\n", d)
       :: may_go_wrong -> troubles++; step[d] = answered_cleared; printf("drain %d: nobody listens\n", d)
       fi
     }
  /* A process that stood still has lost its rows. */
  :: atomic { step[d] == claimed && !lease_is_held(d) -> step[d] = off }
  /* That it was accepted is recorded whoever has it; everything else by who has the claim. */
  :: atomic {
       step[d] == answered_yes -> if :: row == waiting || row == parked -> row = sent; claim = 0 :: else fi;
       step[d] = off
     }
  :: atomic { step[d] == answered_unknown -> if :: has_claim(d) -> claim = 0 :: else fi; step[d] = off }
  :: atomic {
       step[d] == answered_cleared ->
       if
       :: has_claim(d) -> claim = 0;
#ifndef CLEARS_TOO_MUCH
          /* An earlier try that may have been accepted still may. */
          if :: was_first(d) -> may_be_accepted = 0 :: else fi
#else
          may_be_accepted = 0
#endif
       :: else
       fi;
       step[d] = off
     }
  od
}

#define is_at_work(d) (step[d] != off && own[d] == claim)

proctype Fate() {
end:
  do
  /* The caller's own transaction. */
  :: atomic { row == unwritten && !caller_rolled_back -> row = waiting; printf("the caller commits\n") }
  :: atomic { row == unwritten && !caller_rolled_back -> caller_rolled_back = 1 }
  :: atomic { may_go_wrong && step[0] != off -> troubles++; step[0] = off; printf("drain 0 dies\n") }
  :: atomic { may_go_wrong && step[1] != off -> troubles++; step[1] = off; printf("drain 1 dies\n") }
  /* A lease ends: of the dead always, of one that stands still. */
  :: atomic { claim != 0 && row == waiting && !is_at_work(0) && !is_at_work(1) -> claim = 0 }
  :: atomic { claim != 0 && row == waiting && may_go_wrong -> troubles++; claim = 0; printf("a lease runs out\n") }
  /* The key's time, less a margin in which no request is under way any more. */
  :: atomic { key_is_young && may_be_accepted && may_go_wrong -> troubles++; key_is_young = 0 }
  :: atomic {
       remembers && !key_is_young && step[0] != claimed && step[1] != claimed -> remembers = 0;
       printf("the service forgets the key\n")
     }
  od
}

active proctype Judge() {
end:
  atomic {
    timeout ->
    assert(row != waiting);
    assert(row != sent || accepted == 1);
    assert(!caller_rolled_back || accepted == 0);
    assert(row != parked || accepted <= 1)
  }
}

init {
  atomic { step[0] = off; step[1] = off; run Drain(0); run Drain(1); run Fate() }
}
