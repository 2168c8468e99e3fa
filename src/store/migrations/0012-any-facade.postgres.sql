-- Which facades there are is the program's to say.

alter table webhooks drop constraint webhooks_facade_check;
