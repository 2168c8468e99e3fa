-- A second DKIM key for each domain (RFC 8463). Domains that were made before have the first one alone.
alter table domains add column ed25519_public text;
alter table domains add column ed25519_sealed {{bytes}};
