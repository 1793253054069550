-- +goose Up

-- Applications that were deleted and left consents and authorizations behind, which the
-- sweeper removes.
create table deleted_applications (
  application_id blob primary key
) strict, without rowid;

-- A consent is one of these: it is no longer removed with its application.
create table lasting_consents (
  account_id     blob    not null references accounts on delete cascade,
  application_id blob    not null,
  scope          text    not null,
  identity       blob    not null, -- digest of what the account was shown
  created_at     integer not null,
  updated_at     integer not null,
  declined       text    not null default '',
  ends_at        integer not null default 0,
  primary key (account_id, application_id)
) strict, without rowid;
insert into lasting_consents select account_id, application_id, scope, identity, created_at, updated_at, declined, ends_at from consents;
drop table consents;
alter table lasting_consents rename to consents;
create index consents_by_application on consents (application_id);

-- +goose Down

create table cascading_consents (
  account_id     blob    not null references accounts on delete cascade,
  application_id blob    not null references applications on delete cascade,
  scope          text    not null,
  identity       blob    not null,
  created_at     integer not null,
  updated_at     integer not null,
  declined       text    not null default '',
  ends_at        integer not null default 0,
  primary key (account_id, application_id)
) strict, without rowid;
insert into cascading_consents select account_id, application_id, scope, identity, created_at, updated_at, declined, ends_at from consents
where application_id not in (select application_id from deleted_applications);
drop table consents;
alter table cascading_consents rename to consents;
create index consents_by_application on consents (application_id);
delete from authorizations
where grant_type = 'authorization_code' and application_id in (select application_id from deleted_applications);
drop table deleted_applications;
