-- +goose Up

-- What an application shows of itself, how far its review has come, and its secrets.
alter table applications add column logo text not null default ''; -- id of a picture
alter table applications add column privacy text not null default '';
alter table applications add column terms text not null default '';
alter table applications add column optional_scope text not null default '';
alter table applications add column submitted_at bigint not null default 0;
alter table applications add column verified_at bigint not null default 0;
alter table applications add column suspended_reason text not null default '';
alter table applications add column review_note text not null default ''; -- why an administrator sent it back
alter table applications add column requested_scope text not null default ''; -- what an administrator is asked to allow
-- When its owner became that by an offer: secrets from before are known to somebody else.
alter table applications add column inherited_at bigint not null default 0;
alter table applications add column previous_secret_created_at bigint not null default 0;
alter table applications add column secret_used_at bigint not null default 0;
alter table applications add column previous_secret_used_at bigint not null default 0;
-- The end of a previous secret that its webhook was told of.
alter table applications add column secret_ending_told bigint not null default 0;

-- For the lists of the administration, which are read in pages and searched by how a name
-- begins.
-- By bytes, so that an index finds what a text begins with.
alter table accounts alter column email_key set data type text collate "C";
alter table accounts alter column username set data type text collate "C";
alter table accounts add column name_key text collate "C" generated always as (lower(name)) stored;
alter table applications add column name_key text collate "C" generated always as (lower(name)) stored;
create index accounts_by_name on accounts (name_key);
create index accounts_administrators on accounts (id) where administrator;
create index accounts_disabled on accounts (id) where disabled_at > 0;
create index applications_by_name on applications (name_key);
create index applications_submitted on applications (id) where submitted_at > 0;
create index applications_verified on applications (id) where verified_at > 0;
create index applications_suspended on applications (id) where suspended_at > 0;
create index applications_asking on applications (id) where requested_scope <> '';
drop index applications_by_owner;
create index applications_by_owner on applications (owner_id, id);

-- An approval that the account limited in time ends then, and the consent with it.
alter table authorizations add column if not exists ends_at bigint not null default 0;
-- Optional scopes that the account left out, so that it is not asked for them each time.
alter table consents add column declined text not null default '';
alter table consents add column ends_at bigint not null default 0;

-- Accounts beside the owner: co-owners, those who may test a draft, and the one to
-- whom the owner offers the application.
create table application_members (
  application_id bytea  not null references applications on delete cascade,
  account_id     bytea  not null references accounts on delete cascade,
  role           text   not null, -- co-owner, tester, heir
  created_at     bigint not null,
  primary key (application_id, account_id, role)
);
create index application_members_by_account on application_members (account_id);

-- Logos and profile pictures, decoded and encoded anew.
create table pictures (
  id         bytea  primary key,
  type       text   not null,
  body       bytea  not null,
  created_at bigint not null
);

-- Every event that matters to security: who, what, when, from where. The id tells when.
create table audit (
  id             bytea primary key,
  kind           text  not null,
  actor_id       bytea not null, -- empty for somebody who is not signed in, a command, the server
  actor_name     text  not null,
  address        text  not null,
  account_id     bytea not null, -- whom it was done to, or empty
  application_id bytea not null, -- what it was done to, or empty
  subject        text  not null, -- the name of either, as it was then
  detail         text  not null
);
create index audit_by_kind on audit (kind, id);
create index audit_by_actor on audit (actor_id, id);
create index audit_by_account on audit (account_id, id);
create index audit_by_application on audit (application_id, id);
create index audit_by_address on audit (address, id);

-- What each application did in an hour.
create table usage_hours (
  application_id bytea  not null,
  hour           bigint not null, -- Unix milliseconds of its beginning
  issued         bigint not null,
  refreshed      bigint not null,
  calls          bigint not null,
  errors         bigint not null,
  primary key (hour, application_id)
);
create index usage_hours_by_application on usage_hours (application_id, hour);

-- A sketch of the accounts for which an application did something on a day, from which
-- their number is estimated.
create table usage_days (
  application_id bytea  not null,
  day            bigint not null,
  accounts       bytea  not null,
  primary key (day, application_id)
);
create index usage_days_by_application on usage_days (application_id, day);

-- The requests of an application that were refused, for its developers. Seven days.
create table refusals (
  id             bytea primary key,
  application_id bytea not null,
  place          text  not null, -- authorize, token, revoke, ...
  code           text  not null,
  description    text  not null,
  advice         text  not null,
  address        text  not null,
  more           bigint not null -- refused requests of the same minute that are left out
);
create index refusals_by_application on refusals (application_id, id);

-- What an application has really used of an account.
create table uses (
  account_id     bytea  not null,
  application_id bytea  not null,
  scope          text   not null,
  used_at        bigint not null,
  network        text   not null, -- the client's address block
  primary key (account_id, application_id)
);

-- Where an application wants to be told of events. The key that signs is derived, not kept.
create table webhooks (
  application_id bytea  primary key references applications on delete cascade,
  url            text   not null,
  events         text   not null, -- separated by spaces
  generation     bigint not null, -- of the signing key
  rotated_at     bigint not null, -- when the generation before this one gave way, or 0
  created_at     bigint not null
);

create table deliveries (
  id             bytea  primary key,
  application_id bytea  not null,
  event          text   not null,
  body           text   not null,
  attempts       bigint not null,
  due_at         bigint not null, -- 0 when nothing more is tried
  delivered_at   bigint not null,
  status         bigint not null, -- of the last answer, 0 for none
  problem        text   not null  -- of the last attempt
);
create index deliveries_due on deliveries (due_at, application_id) where due_at > 0;
create index deliveries_by_application on deliveries (application_id, id);

-- +goose Down

drop table deliveries;
drop table webhooks;
drop table uses;
drop table refusals;
drop table usage_days;
drop table usage_hours;
drop table audit;
drop table pictures;
drop table application_members;
alter table consents drop column ends_at;
alter table consents drop column declined;
alter table authorizations drop column ends_at;
alter table applications drop column secret_ending_told;
alter table applications drop column previous_secret_used_at;
alter table applications drop column secret_used_at;
alter table applications drop column previous_secret_created_at;
drop index applications_by_owner;
create index applications_by_owner on applications (owner_id);
drop index applications_asking;
drop index applications_suspended;
drop index applications_verified;
drop index applications_submitted;
drop index applications_by_name;
drop index accounts_disabled;
drop index accounts_administrators;
drop index accounts_by_name;
alter table applications drop column name_key;
alter table accounts drop column name_key;
alter table applications drop column inherited_at;
alter table applications drop column requested_scope;
alter table applications drop column review_note;
alter table applications drop column suspended_reason;
alter table applications drop column verified_at;
alter table applications drop column submitted_at;
alter table applications drop column optional_scope;
alter table applications drop column terms;
alter table applications drop column privacy;
alter table applications drop column logo;
