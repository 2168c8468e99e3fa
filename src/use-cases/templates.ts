/** Templates an account keeps: made, changed, deleted, and marked once a test of one was sent. */

import type { Clock } from '../core/clock.ts';
import type { Database } from '../store/database.ts';
import {
  deleteTemplate,
  insertTemplate,
  markTestSent,
  type NewTemplate,
  type TemplateChange,
  updateTemplate,
} from '../store/templates.ts';

export type Templates = {
  /** The number of the new one; one that was deleted is not given again. */
  make(account: string, template: NewTemplate): Promise<number>;
  /** Changes the named members only. False: there is no such template. */
  change(account: string, id: number, change: TemplateChange): Promise<boolean>;
  /** An active template is not deleted: something may be sending it. */
  remove(account: string, id: number): Promise<'deleted' | 'active' | 'missing'>;
  /** False: there is no such template. */
  markTestSent(account: string, id: number): Promise<boolean>;
};

export function createTemplates(database: Database, clock: Pick<Clock, 'now'>): Templates {
  return {
    make: (account, template) => database.write((tx) => insertTemplate(tx, account, template, clock.now())),
    change: (account, id, change) => database.write((tx) => updateTemplate(tx, account, id, change, clock.now())),
    remove: (account, id) => database.write((tx) => deleteTemplate(tx, account, id)),
    markTestSent: (account, id) => database.write((tx) => markTestSent(tx, account, id)),
  };
}
