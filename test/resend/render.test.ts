/** Success bodies, byte for byte (docs/resend.md). */

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import {
  type EmailView,
  renderAccepted,
  renderAttachment,
  renderAttachmentList,
  renderBatchAccepted,
  renderEmail,
  renderEmailList,
  renderEmailRef,
  renderTime,
} from '../../src/http/resend/render.ts';

const someId = '4ef9a417-02e9-4d39-ad75-9611e0fcc33c';

const someEmail: EmailView = {
  id: someId,
  messageId: '<x@example.org>',
  to: ['a@example.org'],
  from: 'b@example.org',
  createdAt: Date.parse('2026-04-03T22:13:42.670Z'),
  subject: 'Hi',
  html: '<p>Hi</p>',
  text: null,
  cc: [],
  bcc: [],
  replyTo: [],
  lastEvent: 'delivered',
  scheduledAt: null,
  tags: [{ name: 'category', value: 'confirm_email' }],
  topicId: null,
};

const file = {
  id: someId,
  filename: 'a.pdf',
  contentType: 'application/pdf',
  contentId: null,
  sizeBytes: 5,
  downloadUrl: 'http://127.0.0.1:3000/x',
  expiresAt: Date.parse('2026-10-17T14:29:41.521Z'),
};

describe('what a send is answered', () => {
  it('is the id and nothing else', () => {
    assert.equal(renderAccepted(someId), `{"id":"${someId}"}`);
  });

  it('is one id for each email of a batch', () => {
    assert.equal(renderBatchAccepted(['a', 'b']), '{"data":[{"id":"a"},{"id":"b"}]}');
  });

  it('lists the errors of a permissive batch, even none', () => {
    const errors = [{ index: 2, message: 'Missing `to` field.' }];
    assert.equal(
      renderBatchAccepted(['a'], errors),
      '{"data":[{"id":"a"}],"errors":[{"index":2,"message":"Missing `to` field."}]}',
    );
    assert.equal(renderBatchAccepted(['a'], []), '{"data":[{"id":"a"}],"errors":[]}');
  });
});

describe('an email', () => {
  it('has the members of the contract in its order, empty lists where there is no cc, bcc or reply_to', () => {
    assert.equal(
      renderEmail(someEmail),
      `{"object":"email","id":"${someId}","message_id":"<x@example.org>","to":["a@example.org"],"from":"b@example.org","created_at":"2026-04-03 22:13:42.67+00","subject":"Hi","html":"<p>Hi</p>","text":null,"bcc":[],"cc":[],"reply_to":[],"last_event":"delivered","scheduled_at":null,"tags":[{"name":"category","value":"confirm_email"}],"topic_id":null}`,
    );
  });

  it('has null for its contents once purged, and says when it is in doubt and only then', () => {
    const purged = JSON.parse(renderEmail({ ...someEmail, html: null, text: null }));
    assert.deepEqual([purged.html, purged.text], [null, null]);
    assert.equal(JSON.parse(renderEmail({ ...someEmail, inDoubt: true })).in_doubt, true);
    assert(!('in_doubt' in JSON.parse(renderEmail({ ...someEmail, inDoubt: false }))));
  });

  it('shows its scheduled time as it shows every time', () => {
    const scheduledAt = Date.parse('2026-04-05T11:52:01Z');
    assert.equal(JSON.parse(renderEmail({ ...someEmail, scheduledAt })).scheduled_at, '2026-04-05 11:52:01+00');
  });

  it('is named by id and object when changed', () => {
    assert.equal(renderEmailRef(someId), `{"object":"email","id":"${someId}"}`);
  });
});

describe('a list of emails', () => {
  it('has no contents, and null where there is no cc, bcc or reply_to', () => {
    assert.equal(
      renderEmailList([someEmail], true),
      `{"object":"list","has_more":true,"data":[{"id":"${someId}","message_id":"<x@example.org>","to":["a@example.org"],"from":"b@example.org","created_at":"2026-04-03 22:13:42.67+00","subject":"Hi","bcc":null,"cc":null,"reply_to":null,"last_event":"delivered","scheduled_at":null}]}`,
    );
    assert.equal(renderEmailList([], false), '{"object":"list","has_more":false,"data":[]}');
  });

  it('has lists where there is a cc', () => {
    const [item] = JSON.parse(renderEmailList([{ ...someEmail, cc: ['c@example.org'] }], false)).data;
    assert.deepEqual([item.cc, item.bcc], [['c@example.org'], null]);
  });
});

describe('attachments', () => {
  const members = `"id":"${someId}","filename":"a.pdf","content_type":"application/pdf","content_disposition":"attachment","download_url":"http://127.0.0.1:3000/x","expires_at":"2026-10-17T14:29:41.521Z","size":5`;

  it('are listed and shown with the same members', () => {
    assert.equal(renderAttachmentList([file]), `{"object":"list","has_more":false,"data":[{${members}}]}`);
    assert.equal(renderAttachment(file), `{"object":"attachment",${members}}`);
  });

  it('are inline where they have a content id', () => {
    const shown = JSON.parse(renderAttachment({ ...file, contentId: 'logo' }));
    assert.deepEqual([shown.content_id, shown.content_disposition], ['logo', 'inline']);
  });
});

describe('renderTime', () => {
  it('writes what Postgres writes: zeros at the end of the fraction trimmed, no fraction where it is zero', () => {
    const at = (iso: string) => renderTime(Date.parse(iso));
    assert.equal(at('2026-04-03T22:13:42.674Z'), '2026-04-03 22:13:42.674+00');
    assert.equal(at('2026-04-03T22:13:42.670Z'), '2026-04-03 22:13:42.67+00');
    assert.equal(at('2026-04-03T22:13:42.600Z'), '2026-04-03 22:13:42.6+00');
    assert.equal(at('2026-04-03T22:13:42.005Z'), '2026-04-03 22:13:42.005+00');
    assert.equal(at('2026-04-03T22:13:40.000Z'), '2026-04-03 22:13:40+00');
  });
});
