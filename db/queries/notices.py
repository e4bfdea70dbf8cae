"""Notices: something to tell a person that no event of the platform's stands for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import text

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

_PUT = text("""
    with put as (
      insert into fleet.notices
        (notice_key, user_id, template_code, order_id, dossier_id, payload, action_url)
      select notice_key, user_id, template_code, order_id, dossier_id, payload, action_url
      from jsonb_to_recordset(cast(:rows as jsonb)) as r(notice_key text, user_id uuid, template_code text,
        order_id uuid, dossier_id uuid, payload jsonb, action_url text)
      on conflict do nothing
      returning 1
    )
    select count(*), pg_notify('fleet', 'notices') from put
""")


def put(session: Session, rows: str) -> int:
    """Have people told, each notice once by its key.

    Args:
        session: The transaction of what there is to tell.
        rows: A JSON array of ``{notice_key, user_id, template_code, order_id, dossier_id, payload,
            action_url}``.

    Returns:
        How many were new.
    """
    return int(session.execute(_PUT, {"rows": rows}).scalar_one())
