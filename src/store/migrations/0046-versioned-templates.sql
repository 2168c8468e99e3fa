-- Templates of Resend's API: the draft their author works on, and the version that is sent. Both are JSON.
create table versioned_templates (
  account text not null,
  id text not null,
  alias text,
  created_at bigint not null,
  updated_at bigint not null,
  published_at bigint,
  draft text not null,
  draft_version text not null,
  published text,
  published_version text,
  primary key (account, id)
) {{clustered}};
create unique index versioned_templates_by_alias on versioned_templates (account, alias) where alias is not null;
