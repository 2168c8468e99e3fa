/*
 * One delivery that may go by two upstreams, each of which knows its key for a while: attempts move on before the gate only, and a
 * doubt is settled by the same request again, by any process, while the key lives. docs/model.md says what is left out.
 */

#ifndef TROUBLES
#define TROUBLES 4
#endif

mtype:state = { queued, sending, handoff, in_doubt, sent, bounced };
mtype:place = { idle, claimed, gated, requested, repeating };

mtype:state state = queued;
byte row_attempt, handoff_attempt;
/* The upstream that may have it, and whether its key is still sure to be known there. */
byte relay;
bit has_key;
/* An operator's leave for another copy. */
byte agains;
bit key_is_over;

mtype:place place[2];
byte attempt[2], asked[2];

/* What an upstream has done, and the key it remembers. */
byte copies[3];
bit remembers[3];
byte troubles;
bit is_away[3];

#define may_go_wrong (troubles < TROUBLES)
#define is_own(w) (row_attempt == attempt[w])

/* An upstream does what is asked of it once for each key that it remembers. */
inline request(u) {
  if
  :: remembers[u]
  :: else ->
     copies[u]++; remembers[u] = 1; printf("upstream %d sends it\n", u);
     assert(copies[1] + copies[2] <= 1 + agains);
     /* Not even where an operator had it sent again, while the key lives. */
     assert(copies[1] + copies[2] <= 1 || key_is_over)
  fi
}

inline settle(w) {
  if
  :: handoff_attempt == attempt[w] && (state == handoff || state == in_doubt || state == queued || state == sending) ->
     row_attempt++; state = sent; printf("process %d: sent is recorded\n", w)
  :: else
  fi
}

inline doubt(w) {
  if :: state == handoff && is_own(w) -> state = in_doubt :: else fi;
  place[w] = idle
}

proctype Process(byte w) {
end:
  do
  :: atomic {
       place[w] == idle && state == queued ->
       row_attempt++; state = sending; attempt[w] = row_attempt;
       /* What may be at one upstream goes to no other. */
       if
#ifndef LEAVES_ITS_RELAY
       :: relay != 0 && agains > 0 -> asked[w] = relay
       :: else -> asked[w] = 1
#else
       :: asked[w] = 1
       :: agains > 0 -> asked[w] = 2
#endif
       fi;
       place[w] = claimed
     }
  /* Failover before the gate: this one is away, or refuses for now. */
  :: atomic {
       place[w] == claimed && asked[w] == 1 && relay == 0 && may_go_wrong ->
       troubles++; asked[w] = 2; printf("process %d: moves on to 2\n", w)
     }
  /* None can be reached. */
  :: atomic {
       place[w] == claimed && may_go_wrong -> troubles++;
       if :: state == sending && is_own(w) -> state = queued :: else fi;
       place[w] = idle
     }
  :: atomic {
       place[w] == claimed ->
       if
       :: state == sending && is_own(w) ->
          state = handoff; handoff_attempt = row_attempt; relay = asked[w];
          /* The first of two requests under one key may be the one that counts: its time is kept. */
          has_key = (agains == 0 -> 1 : has_key);
          place[w] = gated
       :: else -> place[w] = idle
       fi
     }
#ifdef FAILS_OVER_BEHIND_THE_GATE
  :: atomic { place[w] == gated && asked[w] == 1 && may_go_wrong -> troubles++; request(1); asked[w] = 2 }
#endif
  /* The last byte leaves. It arrives, or it does not; its answer arrives, or it does not. */
  :: atomic {
       place[w] == gated ->
       if
       :: request(asked[w]); place[w] = requested
       :: may_go_wrong -> troubles++; request(asked[w]); doubt(w); printf("its answer is lost\n")
       :: may_go_wrong -> troubles++; doubt(w); printf("it does not arrive\n")
       fi
     }
  :: atomic { place[w] == requested -> settle(w); place[w] = idle }
  /* The same again, by whoever looks at the row. Two may ask at once. */
  :: atomic {
#ifdef REPEATS_FOR_EVER
       place[w] == idle && state == in_doubt && relay != 0 ->
#else
       place[w] == idle && state == in_doubt && relay != 0 && has_key ->
#endif
       place[w] = repeating; asked[w] = relay; attempt[w] = handoff_attempt
     }
  :: atomic {
       place[w] == repeating ->
       if
#ifndef REPEATS_FOR_EVER
       /* Reading it took too long. */
       :: !has_key -> place[w] = idle
       :: has_key ->
#else
       ::
#endif
          if
          :: request(asked[w]); settle(w)
          :: may_go_wrong -> troubles++; request(asked[w])
          :: may_go_wrong -> troubles++
          fi;
          place[w] = idle
       fi
     }
  od
}

#define holds_it(w) (place[w] != idle && place[w] != repeating && attempt[w] == row_attempt)
/* Its time-out is far shorter than what is left of the key's life. */
#define is_asked(w) (place[w] == repeating || place[w] == gated)

proctype Fate() {
end:
  do
  :: atomic { may_go_wrong && place[0] != idle -> troubles++; place[0] = idle; printf("process 0 dies\n") }
  :: atomic { may_go_wrong && place[1] != idle -> troubles++; place[1] = idle; printf("process 1 dies\n") }
  /* Recovery: also of what is only thought dead. */
  :: atomic { state == handoff && !holds_it(0) && !holds_it(1) -> row_attempt++; state = in_doubt }
  :: atomic { state == handoff && may_go_wrong -> troubles++; row_attempt++; state = in_doubt }
  :: atomic { state == sending && !holds_it(0) && !holds_it(1) -> row_attempt++; state = queued }
  :: atomic { state == sending && may_go_wrong -> troubles++; row_attempt++; state = queued }
  /* The key's time here ends before the upstream forgets it. */
  :: atomic { has_key && relay != 0 && may_go_wrong -> troubles++; has_key = 0; key_is_over = 1; printf("the key's time is over\n") }
  :: atomic {
       !has_key && relay != 0 && remembers[relay] && !is_asked(0) && !is_asked(1) ->
       remembers[relay] = 0; printf("upstream %d forgets the key\n", relay)
     }
  /* An operator has it sent again, at its own risk. */
  :: atomic { state == in_doubt && agains < 1 -> agains++; row_attempt++; state = queued; printf("send again\n") }
  od
}

active proctype Judge() {
end:
  atomic {
    timeout ->
    assert(state == sent || state == in_doubt);
    assert(state != sent || copies[1] + copies[2] > 0);
    /* While its key lives a doubt settles itself. */
    assert(state != in_doubt || !has_key)
  }
}

init {
  atomic { place[0] = idle; place[1] = idle; run Process(0); run Process(1); run Fate() }
}
