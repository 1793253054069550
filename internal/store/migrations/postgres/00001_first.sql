-- +goose Up

-- Times are Unix milliseconds, 0 for "not". Ids are 16 bytes. Hashes are
-- SHA-256, an empty bytea for "none".

create table accounts (
  id            bytea   primary key,
  email         text    not null,
  email_key     text    not null unique, -- the address in lower case
  username      text    not null unique,
  name          text    not null,
  avatar_url    text    not null,
  password      text    not null,        -- argon2id in PHC form
  administrator boolean not null,
  disabled_at   bigint  not null,
  created_at    bigint  not null
);

create table sessions (
  id           bytea   primary key,
  account_id   bytea   not null references accounts on delete cascade,
  hash         bytea   not null,
  user_agent   text    not null,
  address      text    not null,
  created_at   bigint  not null,
  last_seen_at bigint  not null,
  expires_at   bigint  not null
);
create index sessions_by_account on sessions (account_id);
create index sessions_by_end on sessions (expires_at);

create table applications (
  id                      bytea   primary key,
  client_id               text    not null unique,
  owner_id                bytea   not null references accounts,
  name                    text    not null,
  site                    text    not null,
  redirect_uris           text    not null, -- separated by spaces, which no URI contains
  scope                   text    not null,
  public                  boolean not null,
  resource_server         boolean not null,
  secret_hash             bytea   not null,
  secret_created_at       bigint  not null,
  previous_secret_hash    bytea   not null,
  previous_secret_ends_at bigint  not null,
  suspended_at            bigint  not null,
  created_at              bigint  not null
);
create index applications_by_owner on applications (owner_id);

create table consents (
  account_id     bytea   not null references accounts on delete cascade,
  application_id bytea   not null references applications on delete cascade,
  scope          text    not null,
  identity       bytea   not null, -- digest of what the account was shown
  created_at     bigint  not null,
  updated_at     bigint  not null,
  primary key (account_id, application_id)
);
create index consents_by_application on consents (application_id);

-- One authorization is one row, and every event in its life is one conditional
-- write of it. No foreign keys: the row is written without a look at another table.
-- The columns stand in the order of their alignment, which makes rows smaller, and those
-- that change side by side, which makes the log of a change shorter. Databases that were
-- made before have them in another order: statements name them.
create table authorizations (
  created_at                 bigint   not null,
  code_expires_at            bigint   not null,
  ends_at                    bigint   not null default 0,
  generation                 bigint   not null,
  rotated_at                 bigint   not null,
  replayed_at                bigint   not null,
  access_issued_at           bigint   not null,
  access_expires_at          bigint   not null,
  previous_access_issued_at  bigint   not null,
  previous_access_expires_at bigint   not null,
  sweep_after                bigint   not null,
  revoked_at                 bigint   not null,
  status                     smallint not null, -- 1 pending, 2 active, 3 revoked
  redirect_uri_sent          boolean  not null,
  revoked_reason             text     not null,
  key_id                     bytea    not null,
  access_hash                bytea    not null,
  access_scope               text     not null,
  refresh_hash               bytea    not null,
  previous_access_hash       bytea    not null,
  previous_access_scope      text     not null,
  previous_refresh_hash      bytea    not null,
  id                         bytea    primary key,
  application_id             bytea    not null,
  account_id                 bytea    not null,
  grant_type                 text     not null,
  scope                      text     not null,
  code_hash                  bytea    not null,
  redirect_uri               text     not null,
  challenge                  text     not null
) with (fillfactor = 60, autovacuum_vacuum_scale_factor = 0.02);

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
);

-- +goose Down

drop table settings;
drop table authorizations;
drop table consents;
drop table applications;
drop table sessions;
drop table accounts;
