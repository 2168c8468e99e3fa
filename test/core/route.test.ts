/** The first route that fits: by sender, account and tag. */

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { type Route, type RouteFacts, relaysFor, tagOf } from '../../src/core/route.ts';

const all = ['one', 'two'];

function route(change: Partial<Route>): Route {
  return { from: null, account: null, tag: null, relays: ['fits'], ...change };
}

function fits(wanted: Partial<Route>, facts: Partial<RouteFacts>): boolean {
  const mail = { from: 'a@shop.example', account: 'default', tag: null, ...facts };
  return relaysFor([route(wanted)], all, mail)[0] === 'fits';
}

describe('a route', () => {
  it('by a domain fits that domain in any case, and none below or beside it', () => {
    const from = 'shop.example';
    assert.equal(fits({ from }, { from: 'A@Shop.EXAMPLE' }), true);
    for (const other of ['a@sub.shop.example', 'a@myshop.example', 'shop.example@other.test']) {
      assert.equal(fits({ from }, { from: other }), false, other);
    }
  });

  it('by *.domain fits those below it, not the domain itself', () => {
    const from = '*.shop.example';
    for (const below of ['a@sub.shop.example', 'a@x.y.SHOP.example'])
      assert.equal(fits({ from }, { from: below }), true, below);
    for (const other of ['a@shop.example', 'a@myshop.example'])
      assert.equal(fits({ from }, { from: other }), false, other);
  });

  it('by an address fits that one', () => {
    assert.equal(fits({ from: 'a@shop.example' }, { from: 'a@SHOP.example' }), true);
    assert.equal(fits({ from: 'a@shop.example' }, { from: 'b@shop.example' }), false);
  });

  it('by account and tag fits where both are as it says', () => {
    const wanted = { account: 'shop', tag: 'bulk' };
    assert.equal(fits(wanted, { account: 'shop', tag: 'bulk' }), true);
    assert.equal(fits(wanted, { account: 'shop' }), false);
    assert.equal(fits(wanted, { tag: 'bulk' }), false);
  });

  it('without conditions fits every mail; the first that fits counts, and without any all relays do', () => {
    const facts = { from: 'a@shop.example', account: 'default', tag: null };
    assert.deepEqual(relaysFor([], all, facts), all);
    assert.deepEqual(relaysFor([route({ tag: 'x' })], all, facts), all);
    const routes = [route({ tag: 'x' }), route({ relays: ['second'] }), route({ relays: ['third'] })];
    assert.deepEqual(relaysFor(routes, all, facts), ['second']);
  });
});

it('a mail says which route it means by the tag sendonce-relay', () => {
  assert.equal(tagOf([{ name: 'a', value: 'b' }]), null);
  assert.equal(
    tagOf([
      { name: 'a', value: 'b' },
      { name: 'sendonce-relay', value: 'bulk' },
    ]),
    'bulk',
  );
});
