#!/bin/sh
# One database and one role for each service, made when the Postgres container starts for the first
# time. A service owns its tables and cannot connect to another's database. A further service is one
# more call.
set -eu

database() { # name, password
  psql --set ON_ERROR_STOP=1 --set name="$1" --set password="$2" \
    --username "$POSTGRES_USER" --dbname postgres <<'SQL'
create role :"name" login password :'password';
create database :"name" owner :"name";
revoke all on database :"name" from public;
SQL
}

database order "$ORDER_DATABASE_PASSWORD"
database product "$PRODUCT_DATABASE_PASSWORD"
database point "$POINT_DATABASE_PASSWORD"
database coupon "$COUPON_DATABASE_PASSWORD"
database ranking "$RANKING_DATABASE_PASSWORD"
database payment "$PAYMENT_DATABASE_PASSWORD"
