/* One event that an endpoint is to be told: two workers, the endpoint, and processes that die. docs/model.md says what is left out. */

#ifndef TROUBLES
#define TROUBLES 4
#endif

mtype:state = { pending, told, failed };
mtype:place = { idle, claimed, answered_yes, answered_no };

mtype:state state = pending;
byte attempt, owner, troubles;
mtype:place place[2];
byte own[2];
bit was_heard, was_given_up;

#define may_go_wrong (troubles < TROUBLES)
#define is_own(w) (attempt == own[w] && state == pending)
#define is_at_work(w) (place[w] != idle && own[w] == attempt)

proctype Worker(byte w) {
end:
  do
  :: atomic {
       place[w] == idle && state == pending && owner == 0 ->
       attempt++; own[w] = attempt; owner = w + 1; place[w] = claimed;
#ifdef COUNTS_AT_THE_CLAIM
       state = told
#endif
     }
  :: atomic {
       place[w] == claimed ->
       if
       :: was_heard = 1; place[w] = answered_yes; printf("worker %d: it is heard\n", w)
       :: may_go_wrong -> troubles++; was_heard = 1; place[w] = answered_no; printf("worker %d: heard, no answer\n", w)
       :: may_go_wrong -> troubles++; place[w] = answered_no; printf("worker %d: not heard\n", w)
       fi
     }
  :: atomic { place[w] == answered_yes -> if :: is_own(w) -> state = told; owner = 0 :: else fi; place[w] = idle }
  /* Later again, until its days are over. */
  :: atomic {
       place[w] == answered_no ->
       if
       :: is_own(w) -> owner = 0; if :: true :: may_go_wrong -> troubles++; state = failed; was_given_up = 1 fi
       :: else
       fi;
       place[w] = idle
     }
  od
}

proctype Fate() {
end:
  do
  :: atomic { may_go_wrong && place[0] != idle -> troubles++; place[0] = idle; printf("worker 0 dies\n") }
  :: atomic { may_go_wrong && place[1] != idle -> troubles++; place[1] = idle; printf("worker 1 dies\n") }
  /* The lease: a minute, whoever lives. */
  :: atomic { owner != 0 && state == pending && !is_at_work(0) && !is_at_work(1) -> owner = 0 }
  :: atomic { owner != 0 && state == pending && may_go_wrong -> troubles++; owner = 0; printf("a lease runs out\n") }
  od
}

active proctype Judge() {
end:
  atomic {
    timeout ->
    assert(state != pending);
    assert(state != told || was_heard);
    assert(state != failed || was_given_up)
  }
}

init {
  atomic { place[0] = idle; place[1] = idle; run Worker(0); run Worker(1); run Fate() }
}
