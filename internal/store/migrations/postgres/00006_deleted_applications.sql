-- +goose Up

-- Applications that were deleted and left consents and authorizations behind, which the
-- sweeper removes.
create table deleted_applications (
  application_id bytea primary key
);

-- A consent is one of these. The sweeper goes by the index.
alter table consents drop constraint consents_application_id_fkey;
drop index consents_by_application;
create index consents_by_application on consents (application_id, account_id);

-- +goose Down

delete from authorizations
where grant_type = 'authorization_code' and application_id in (select application_id from deleted_applications);
delete from consents where application_id in (select application_id from deleted_applications);
drop index consents_by_application;
create index consents_by_application on consents (application_id);
alter table consents add constraint consents_application_id_fkey
  foreign key (application_id) references applications on delete cascade;
drop table deleted_applications;
