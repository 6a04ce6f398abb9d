//! One campaign: made, read, asked for a coupon.

use axum::{
    extract::State,
    http::{HeaderName, StatusCode, header},
};
use messages::{
    CouponId, RequestId, UserId,
    coupon::{Command, Issue, Issued, Reply},
    id::kind,
};
use node::{
    edge::{
        Answer, Create as CreateErrors, FirstCome, IdempotencyKey, Json, PathId, Problem, Read,
        Trace,
    },
    host::{Ask, Service, Target},
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::body::{CampaignBody, NewCampaign};
use crate::campaign::Campaign;

/// Who wants a coupon.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(as = CouponWanted)]
pub(super) struct Wanted {
    /// The user.
    #[schema(value_type = String, pattern = "^[A-Za-z0-9_.:-]{1,64}$")]
    user_id: UserId,
}

/// A coupon that was issued.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct IssuedCoupon {
    /// The campaign.
    #[schema(value_type = String, format = Uuid)]
    coupon_id: CouponId,
    /// Who has it.
    #[schema(value_type = String)]
    user_id: UserId,
    /// Its number, counted from 1 in the order of arrival.
    #[schema(minimum = 1)]
    number: u32,
}

/// Makes a campaign.
#[utoipa::path(
    post,
    path = "/coupons",
    params(("Idempotency-Key" = Option<String>, Header, min_length = 1, max_length = 128)),
    request_body = NewCampaign,
    responses(
        (status = 201, body = CampaignBody, headers(("Location" = String))),
        CreateErrors,
    )
)]
pub(super) async fn create(
    State(service): State<Service<Campaign>>,
    IdempotencyKey(key): IdempotencyKey,
    trace: Trace,
    Json(new): Json<NewCampaign>,
) -> Result<(StatusCode, [(HeaderName, String); 1], Answer<CampaignBody>), Problem> {
    const CALL: &str = "POST /coupons";
    let create = new.checked()?;
    let target = Target::made_by(CALL, key, &create);
    let ask = trace.ask(target, Command::Create(create));
    let campaign = campaign(service.ask(ask).await??)?;
    let location = [(header::LOCATION, format!("/coupons/{}", campaign.id))];
    Ok((StatusCode::CREATED, location, Answer(campaign)))
}

/// A campaign as it stands.
#[utoipa::path(
    get,
    path = "/coupons/{id}",
    params(("id" = String, Path, format = Uuid)),
    responses((status = 200, body = CampaignBody), Read)
)]
pub(super) async fn get(
    State(service): State<Service<Campaign>>,
    PathId(id): PathId<kind::Coupon>,
    trace: Trace,
) -> Result<Answer<CampaignBody>, Problem> {
    let ask = trace.ask(id.entity(), Command::Get);
    campaign(service.ask(ask).await??).map(Answer)
}

/// Issues the next coupon to a user: first come, first served, one to a user.
#[utoipa::path(
    post,
    path = "/coupons/{id}/issue",
    params(
        ("id" = String, Path, format = Uuid),
        ("Idempotency-Key" = Option<String>, Header, min_length = 1, max_length = 128),
    ),
    request_body = Wanted,
    responses((status = 201, body = IssuedCoupon), FirstCome)
)]
pub(super) async fn issue(
    State(service): State<Service<Campaign>>,
    PathId(id): PathId<kind::Coupon>,
    IdempotencyKey(key): IdempotencyKey,
    trace: Trace,
    Json(wanted): Json<Wanted>,
) -> Result<(StatusCode, Answer<IssuedCoupon>), Problem> {
    let issue = Issue {
        user_id: wanted.user_id,
        keyed: key.is_some(),
    };
    let ask = Ask {
        request_id: key.map(RequestId::from),
        ..trace.ask(id.entity(), Command::Issue(issue))
    };
    let Issued {
        coupon_id,
        user_id,
        number,
    } = match service.ask(ask).await?? {
        Reply::Issued(issued) => issued,
        other => return Err(Problem::unexpected(&other)),
    };
    let issued = IssuedCoupon {
        coupon_id,
        user_id,
        number,
    };
    Ok((StatusCode::CREATED, Answer(issued)))
}

fn campaign(reply: Reply) -> Result<CampaignBody, Problem> {
    match reply {
        Reply::Campaign(view) => Ok(view.into()),
        other => Err(Problem::unexpected(&other)),
    }
}
