-- +goose Up

-- One row names many authorizations, their ids one behind the other: see early_sweeps.go.
alter table early_sweeps drop constraint early_sweeps_pkey;
alter table early_sweeps rename column id to ids;
create index early_sweeps_by_time on early_sweeps (after);

-- +goose Down

create table single_sweeps (
  after bigint  not null,
  id    bytea   not null,
  primary key (after, id)
);
insert into single_sweeps
select distinct after, substr(ids, place, 16) from early_sweeps, generate_series(1, octet_length(ids), 16) as place;
drop table early_sweeps;
alter table single_sweeps rename to early_sweeps;
alter index single_sweeps_pkey rename to early_sweeps_pkey;
