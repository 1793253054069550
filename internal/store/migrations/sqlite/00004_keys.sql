-- +goose Up

-- An authorization is found by a number that is made of its id (sqlite_keys.go): its
-- table is half as deep as one that has the ids and rows of 400 bytes in its inner pages.
create table keyed_authorizations (
  key                        integer primary key,
  id                         blob    not null,
  application_id             blob    not null,
  account_id                 blob    not null,
  grant_type                 text    not null,
  status                     integer not null, -- 1 pending, 2 active, 3 revoked
  scope                      text    not null,
  created_at                 integer not null,
  code_hash                  blob    not null,
  code_expires_at            integer not null,
  redirect_uri               text    not null,
  redirect_uri_sent          integer not null,
  challenge                  text    not null,
  generation                 integer not null,
  rotated_at                 integer not null,
  replayed_at                integer not null,
  key_id                     blob    not null,
  access_hash                blob    not null,
  access_scope               text    not null,
  access_issued_at           integer not null,
  access_expires_at          integer not null,
  refresh_hash               blob    not null,
  previous_access_hash       blob    not null,
  previous_access_scope      text    not null,
  previous_access_issued_at  integer not null,
  previous_access_expires_at integer not null,
  previous_refresh_hash      blob    not null,
  revoked_at                 integer not null,
  revoked_reason             text    not null,
  sweep_after                integer not null,
  ends_at                    integer not null default 0
) strict;

-- The key as keyOf makes it, from the hexadecimal digits of the id.
insert into keyed_authorizations
select base + row_number() over (partition by base order by id) - 1,
  id, application_id, account_id, grant_type, status, scope, created_at,
  code_hash, code_expires_at, redirect_uri, redirect_uri_sent, challenge, generation, rotated_at, replayed_at, key_id,
  access_hash, access_scope, access_issued_at, access_expires_at, refresh_hash,
  previous_access_hash, previous_access_scope, previous_access_issued_at, previous_access_expires_at, previous_refresh_hash,
  revoked_at, revoked_reason, sweep_after, ends_at
from (select *, ((('0x' || substr(hex(id), 1, 12)) ->> '$') - 1767225600000 << 22)
    | ((('0x' || substr(hex(id), 14, 3)) ->> '$') << 10)
    | (((('0x' || substr(hex(id), 17, 3)) ->> '$') >> 2 & 255) << 2) as base
  from authorizations);

drop table authorizations;
alter table keyed_authorizations rename to authorizations;

create index authorizations_by_application
  on authorizations (application_id, account_id)
  where grant_type = 'authorization_code';
create index authorizations_by_account
  on authorizations (account_id)
  where grant_type = 'authorization_code';
create index authorizations_by_sweep on authorizations (sweep_after);

-- +goose Down

create table authorizations_by_id (
  id                         blob    primary key,
  application_id             blob    not null,
  account_id                 blob    not null,
  grant_type                 text    not null,
  status                     integer not null,
  scope                      text    not null,
  created_at                 integer not null,
  code_hash                  blob    not null,
  code_expires_at            integer not null,
  redirect_uri               text    not null,
  redirect_uri_sent          integer not null,
  challenge                  text    not null,
  generation                 integer not null,
  rotated_at                 integer not null,
  replayed_at                integer not null,
  key_id                     blob    not null,
  access_hash                blob    not null,
  access_scope               text    not null,
  access_issued_at           integer not null,
  access_expires_at          integer not null,
  refresh_hash               blob    not null,
  previous_access_hash       blob    not null,
  previous_access_scope      text    not null,
  previous_access_issued_at  integer not null,
  previous_access_expires_at integer not null,
  previous_refresh_hash      blob    not null,
  revoked_at                 integer not null,
  revoked_reason             text    not null,
  sweep_after                integer not null,
  ends_at                    integer not null default 0
) strict, without rowid;
insert into authorizations_by_id
select id, application_id, account_id, grant_type, status, scope, created_at,
  code_hash, code_expires_at, redirect_uri, redirect_uri_sent, challenge, generation, rotated_at, replayed_at, key_id,
  access_hash, access_scope, access_issued_at, access_expires_at, refresh_hash,
  previous_access_hash, previous_access_scope, previous_access_issued_at, previous_access_expires_at, previous_refresh_hash,
  revoked_at, revoked_reason, sweep_after, ends_at
from authorizations order by id;
drop table authorizations;
alter table authorizations_by_id rename to authorizations;
create index authorizations_by_application
  on authorizations (application_id, account_id)
  where grant_type = 'authorization_code';
create index authorizations_by_account
  on authorizations (account_id)
  where grant_type = 'authorization_code';
create index authorizations_by_sweep on authorizations (sweep_after);
