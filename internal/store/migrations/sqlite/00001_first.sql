-- +goose Up

-- Times are Unix milliseconds, 0 for "not". Ids are 16 bytes. Hashes are
-- SHA-256, an empty blob for "none".

create table accounts (
  id            blob    primary key,
  email         text    not null,
  email_key     text    not null unique, -- the address in lower case
  username      text    not null unique,
  name          text    not null,
  avatar_url    text    not null,
  password      text    not null,        -- argon2id in PHC form
  administrator integer not null,
  disabled_at   integer not null,
  created_at    integer not null
) strict;

create table sessions (
  id           blob    primary key,
  account_id   blob    not null references accounts on delete cascade,
  hash         blob    not null,
  user_agent   text    not null,
  address      text    not null,
  created_at   integer not null,
  last_seen_at integer not null,
  expires_at   integer not null
) strict;
create index sessions_by_account on sessions (account_id);
create index sessions_by_end on sessions (expires_at);

create table applications (
  id                      blob    primary key,
  client_id               text    not null unique,
  owner_id                blob    not null references accounts,
  name                    text    not null,
  site                    text    not null,
  redirect_uris           text    not null, -- separated by spaces, which no URI contains
  scope                   text    not null,
  public                  integer not null,
  resource_server         integer not null,
  secret_hash             blob    not null,
  secret_created_at       integer not null,
  previous_secret_hash    blob    not null,
  previous_secret_ends_at integer not null,
  suspended_at            integer not null,
  created_at              integer not null
) strict;
create index applications_by_owner on applications (owner_id);

create table consents (
  account_id     blob    not null references accounts on delete cascade,
  application_id blob    not null references applications on delete cascade,
  scope          text    not null,
  identity       blob    not null, -- digest of what the account was shown
  created_at     integer not null,
  updated_at     integer not null,
  primary key (account_id, application_id)
) strict, without rowid;
create index consents_by_application on consents (application_id);

-- One authorization is one row, and every event in its life is one conditional
-- write of it. No foreign keys: the row is written without a look at another table.
create table authorizations (
  id                         blob    primary key,
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
  sweep_after                integer not null
) strict, without rowid;

-- For connected applications and for the deletion of an application. Tokens of
-- client_credentials stay out of it: they are many, and short-lived.
create index authorizations_by_application
  on authorizations (application_id, account_id)
  where grant_type = 'authorization_code';

create index authorizations_by_account
  on authorizations (account_id)
  where grant_type = 'authorization_code';

create index authorizations_by_sweep on authorizations (sweep_after);

-- What the last server that ran on this data was configured with, for commands
-- that are not given its configuration.
create table settings (
  name  text primary key,
  value text not null
) strict;

-- +goose Down

drop table settings;
drop table authorizations;
drop table consents;
drop table applications;
drop table sessions;
drop table accounts;
