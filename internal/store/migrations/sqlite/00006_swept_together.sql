-- +goose Up

-- One row names many authorizations, their ids one behind the other: see early_sweeps.go.
alter table early_sweeps rename column id to ids;

-- +goose Down

create table single_sweeps (
  after integer not null,
  id    blob    not null,
  primary key (after, id)
) strict, without rowid;
with recursive named (after, ids, place) as (
  select after, ids, 1 from early_sweeps
  union all select after, ids, place + 16 from named where place + 16 <= length(ids))
insert or ignore into single_sweeps select after, substr(ids, place, 16) from named;
drop table early_sweeps;
alter table single_sweeps rename to early_sweeps;
