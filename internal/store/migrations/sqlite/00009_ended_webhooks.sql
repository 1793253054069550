-- +goose Up

-- A webhook that is made after another was deleted has none of its deliveries. What was there
-- is of the webhook that there is; 0 is of none.
alter table deliveries add column webhook integer not null default 0; -- created_at of it
update deliveries set webhook = coalesce(
  (select created_at from webhooks where webhooks.application_id = deliveries.application_id), 0);
drop index deliveries_by_application;
create index deliveries_by_application on deliveries (application_id, webhook, id);

-- Webhooks that were deleted and left deliveries behind, which the sweeper removes.
create table ended_webhooks (
  application_id blob    not null,
  created_at     integer not null,
  primary key (application_id, created_at)
) strict, without rowid;

-- +goose Down

delete from deliveries where not exists (
  select 1 from webhooks where webhooks.application_id = deliveries.application_id and created_at = webhook);
drop table ended_webhooks;
drop index deliveries_by_application;
alter table deliveries drop column webhook;
create index deliveries_by_application on deliveries (application_id, id);
