-- Blocked domains stand among the suppressed addresses, of which there may be millions.
create index suppressions_of_domains on suppressions (account, address) where substr(address, 1, 1) = '@';
