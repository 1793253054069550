-- +goose Up

-- Zeros that make way for what the life of an authorization adds to its row, so that the
-- row stays in its page (sqlite_room.go).
alter table authorizations add column room blob not null default x'';

-- +goose Down

alter table authorizations drop column room;
