# ruff: noqa: E501  a table is read by its columns
"""The table of DingTalk's codes: what each one means and which kind of trouble it is.

Sources: [D0013] (global table), [D1433] (limits), [D0773] (`forbidden_list`) and the pages of the
endpoints, read 2026-11-23.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from types import MappingProxyType
from typing import Final, Literal

from dingbell.dingtalk import limits

__all__ = ["CODES", "FORBIDDEN", "Code", "Dropped", "ForbiddenAction", "Kind", "find"]


class Kind(Enum):
    """What a code asks of the caller."""

    OK = "ok"
    TOKEN = "token"  # noqa: S105  a kind of trouble, not a secret
    CREDENTIALS = "credentials"
    PERMISSION = "permission"
    REQUEST = "request"
    MESSAGE = "message"
    MEDIA = "media"
    PERSON = "person"
    DEPARTMENT = "department"
    SIGN_IN = "sign-in"
    LIMIT = "limit"
    THROTTLE = "throttle"
    QUOTA = "quota"
    AMBIGUOUS = "ambiguous"


@dataclass(frozen=True, slots=True)
class Code:
    """One code: its kind, its meaning, the pause in seconds, whether somebody must be told."""

    kind: Kind
    en: str
    zh: str
    after: float = 0.0
    alert: bool = False


ForbiddenAction = Literal["pace", "duplicate", "daily", "content", "protected", "other"]


@dataclass(frozen=True, slots=True)
class Dropped:
    """One code of `forbidden_list`: why DingTalk dropped a person's notice."""

    action: ForbiddenAction
    en: str
    zh: str


_SECOND = float(limits.QPS_SECONDS)
_MINUTE = float(limits.MINUTE_SECONDS)
_LONG = float(limits.LONG_BAN_SECONDS)
_FINISH = float(limits.NOT_FINISHED_SECONDS)

# fmt: off
_TABLE: dict[str, Code] = {
    "0":      Code(Kind.OK,          "ok", "成功"),
    "-1":     Code(Kind.AMBIGUOUS,   "system busy", "系统繁忙"),
    "15":     Code(Kind.AMBIGUOUS,   "the remote service failed", "远程服务出错"),
    "500":    Code(Kind.AMBIGUOUS,   "unknown server error", "未知的服务端错误"),
    "22":     Code(Kind.REQUEST,     "no such API", "接口不存在"),
    "404":    Code(Kind.REQUEST,     "no such address", "请求的地址不存在"),
    "40":     Code(Kind.REQUEST,     "an argument is missing", "缺少必要参数"),
    "41":     Code(Kind.REQUEST,     "an argument is invalid", "参数无效"),
    # the token
    "33001":  Code(Kind.TOKEN,       "invalid organisation of the token", "无效的企业"),
    "40001":  Code(Kind.TOKEN,       "invalid token or wrong secret", "access_token 无效或密钥错误"),
    "40014":  Code(Kind.TOKEN,       "invalid access token", "不合法的 access_token"),
    "42001":  Code(Kind.TOKEN,       "the access token expired", "access_token 已过期"),
    # the app
    "40096":  Code(Kind.CREDENTIALS, "wrong app key or app secret", "不合法的 appKey 或 appSecret", alert=True),
    "40089":  Code(Kind.CREDENTIALS, "wrong corp id or secret", "不合法的 corpid 或 corpsecret", alert=True),
    "40013":  Code(Kind.CREDENTIALS, "invalid corp id", "不合法的 corpid", alert=True),
    "40056":  Code(Kind.CREDENTIALS, "invalid agent id", "不合法的 agentid", alert=True),
    "52019":  Code(Kind.CREDENTIALS, "invalid agent id", "无效的 agentid", alert=True),
    "70003":  Code(Kind.CREDENTIALS, "no app has this agent id", "agentid 对应的应用不存在", alert=True),
    "70004":  Code(Kind.CREDENTIALS, "the agent id belongs to another organisation", "企业下没有该 agentid", alert=True),
    "41011":  Code(Kind.CREDENTIALS, "the agent id is missing", "缺少 agentid", alert=True),
    # permission
    "41028":  Code(Kind.PERMISSION,  "this app may not send to everyone", "无权发送全员消息", alert=True),
    "41044":  Code(Kind.PERMISSION,  "this app may not send", "无权发送消息", alert=True),
    "48002":  Code(Kind.PERMISSION,  "the API is disabled", "接口未启用或已停用", alert=True),
    "50003":  Code(Kind.PERMISSION,  "the app is disabled", "应用已停用", alert=True),
    "50005":  Code(Kind.PERMISSION,  "the organisation is disabled", "企业已停用", alert=True),
    "50002":  Code(Kind.PERMISSION,  "a person is outside the app's scope", "员工不在授权范围内"),
    "50004":  Code(Kind.PERMISSION,  "a department is outside the app's scope", "部门不在授权范围内"),
    "60011":  Code(Kind.PERMISSION,  "the app lacks a permission", "应用没有调用该接口的权限", alert=True),
    "60019":  Code(Kind.PERMISSION,  "the department may not be read", "无权读取该部门"),
    "60020":  Code(Kind.PERMISSION,  "the caller's IP is not on the app's list", "访问 IP 不在白名单中", alert=True),
    "43007":  Code(Kind.PERMISSION,  "authorisation is needed", "需要授权", alert=True),
    # people and departments
    "33012":  Code(Kind.PERSON,      "invalid userid", "无效的 userid"),
    "40003":  Code(Kind.PERSON,      "invalid userid", "不合法的 userid"),
    "60111":  Code(Kind.PERSON,      "no such userid", "userid 不存在"),
    "60121":  Code(Kind.PERSON,      "no such person", "找不到该用户"),
    "40104":  Code(Kind.PERSON,      "invalid mobile number", "无效的手机号"),
    "40009":  Code(Kind.DEPARTMENT,  "invalid department id", "不合法的部门 id"),
    "60003":  Code(Kind.DEPARTMENT,  "no such department", "部门不存在"),
    "40031":  Code(Kind.REQUEST,     "invalid list of userids", "不合法的 userid 列表"),
    "40032":  Code(Kind.REQUEST,     "the list of userids has a wrong length", "不合法的 userid 列表长度"),
    "33011":  Code(Kind.REQUEST,     "no such role", "角色不存在"),
    # the message
    "34004":  Code(Kind.MESSAGE,     "invalid message type", "不合法的消息类型"),
    "40008":  Code(Kind.MESSAGE,     "invalid message type", "不合法的消息类型"),
    "34008":  Code(Kind.MESSAGE,     "the image message is empty", "图片消息为空"),
    "34009":  Code(Kind.MESSAGE,     "the link message is empty", "链接消息为空"),
    "34010":  Code(Kind.MESSAGE,     "the file message is empty", "文件消息为空"),
    "34011":  Code(Kind.MESSAGE,     "the voice message is empty", "语音消息为空"),
    "34014":  Code(Kind.MESSAGE,     "the message is not valid JSON", "消息 JSON 格式错误"),
    "34016":  Code(Kind.MESSAGE,     "a field of the message is too long", "消息字段超过长度限制"),
    "45002":  Code(Kind.MESSAGE,     "the message is too long", "消息内容超过限制"),
    "45003":  Code(Kind.MESSAGE,     "the title is too long", "标题超过限制"),
    "45004":  Code(Kind.MESSAGE,     "the description is too long", "描述超过限制"),
    "45005":  Code(Kind.MESSAGE,     "a link is too long", "链接超过限制"),
    "45006":  Code(Kind.MESSAGE,     "an image link is too long", "图片链接超过限制"),
    "45007":  Code(Kind.MESSAGE,     "the voice is too long", "语音播放时间超过限制"),
    "40033":  Code(Kind.MESSAGE,     "the request has \\u escapes", "请求中包含 \\uXXXX 转义字符"),
    "40048":  Code(Kind.MESSAGE,     "a link's domain is not safe", "链接域名不安全"),
    "41049":  Code(Kind.MESSAGE,     "forbidden content", "消息包含违禁内容"),
    "885001": Code(Kind.MESSAGE,     "no such template", "消息模板不存在"),
    "885006": Code(Kind.MESSAGE,     "the template cannot be used", "消息模板不可用"),
    # media
    "40004":  Code(Kind.MEDIA,       "invalid media type", "不合法的媒体文件类型"),
    "40005":  Code(Kind.MEDIA,       "invalid file type", "不合法的文件类型"),
    "40006":  Code(Kind.MEDIA,       "the file is too large", "不合法的文件大小"),
    "40007":  Code(Kind.MEDIA,       "no such media id", "不合法的 media_id"),
    "41005":  Code(Kind.MEDIA,       "no media data", "缺少媒体数据"),
    "41006":  Code(Kind.MEDIA,       "the media id is missing", "缺少 media_id"),
    "44001":  Code(Kind.MEDIA,       "the file is empty", "媒体文件为空"),
    # other arguments
    "40000":  Code(Kind.REQUEST,     "invalid argument", "参数错误"),
    "40035":  Code(Kind.REQUEST,     "invalid argument", "不合法的参数"),
    "40038":  Code(Kind.REQUEST,     "invalid request format", "不合法的请求格式"),
    "400001": Code(Kind.REQUEST,     "invalid argument", "参数错误"),
    "400002": Code(Kind.REQUEST,     "invalid argument", "无效的参数"),
    "400043": Code(Kind.REQUEST,     "invalid argument", "参数错误"),
    "40068":  Code(Kind.REQUEST,     "invalid offset", "不合法的偏移量"),
    "40069":  Code(Kind.REQUEST,     "invalid page size", "不合法的分页大小"),
    "43001":  Code(Kind.REQUEST,     "GET is needed", "需要 GET 请求"),
    "43002":  Code(Kind.REQUEST,     "POST is needed", "需要 POST 请求"),
    "43003":  Code(Kind.REQUEST,     "HTTPS is needed", "需要 HTTPS 请求"),
    "43004":  Code(Kind.REQUEST,     "wrong content type", "无效的 Content-Type"),
    "43005":  Code(Kind.REQUEST,     "wrong request", "请求方式错误"),
    "43006":  Code(Kind.REQUEST,     "wrong request", "请求方式错误"),
    "43008":  Code(Kind.REQUEST,     "multipart is needed", "需要 multipart 类型"),
    "43009":  Code(Kind.REQUEST,     "wrong request", "请求方式错误"),
    # signing in
    "40078":  Code(Kind.SIGN_IN,     "the sign-in code is wrong, used or expired", "不存在的临时授权码"),
    "40079":  Code(Kind.SIGN_IN,     "the authorisation is wrong or expired", "授权信息无效或已过期"),
    "41007":  Code(Kind.SIGN_IN,     "invalid sso code", "无效的 ssocode"),
    "41026":  Code(Kind.SIGN_IN,     "the authorisation code is missing", "缺少授权码"),
    # limits of notifications
    "41029":  Code(Kind.LIMIT,       "more than 5,000 recipients: split", "接收人超过 5000, 请拆分"),
    "41045":  Code(Kind.LIMIT,       "more than 3 notices to everyone today", "今日全员消息超过 3 次"),
    "41046":  Code(Kind.THROTTLE,    "too many notices to everyone this minute", "本分钟全员消息超过限制", _MINUTE),
    "41047":  Code(Kind.THROTTLE,    "too many recipients this minute", "本分钟接收人数超过限制", _MINUTE),
    "41048":  Code(Kind.THROTTLE,    "too many recipients this minute", "本分钟接收人数超过限制", _MINUTE),
    "41052":  Code(Kind.THROTTLE,    "too many recipients, or the send is not finished", "接收人过多或消息尚未发送完成", _FINISH),
    # limits of the platform
    "90002":  Code(Kind.THROTTLE,    "DingTalk is limiting this API for everyone", "该接口发送全局流控", _SECOND),
    "90018":  Code(Kind.THROTTLE,    "too many calls per second", "应用调用该接口的 QPS 超过限制", _SECOND),
    "90020":  Code(Kind.QUOTA,       "this month's calls are used up", "本月接口调用量已用完", alert=True),
    **{
        str(code): Code(Kind.THROTTLE, "calls are banned for a while", "接口调用被暂时封禁", _LONG, alert=True)
        for code in (90001, *range(90003, 90018))
    },
    # the new API
    "InvalidAuthentication":               Code(Kind.TOKEN, "invalid access token", "不合法的 access_token"),
    "accesstoken.expired":                 Code(Kind.TOKEN, "the access token expired", "access_token 已过期"),
    "AuthenticationFailed.MissingParameter": Code(Kind.REQUEST, "the access token is missing", "缺少 access_token"),
    "invalidClientIdOrSecret":             Code(Kind.CREDENTIALS, "wrong client id or secret", "无效的 clientId 或 clientSecret", alert=True),
    "invalid.client":                      Code(Kind.CREDENTIALS, "wrong client id or secret", "无效的 clientId 或 clientSecret", alert=True),
    "unauthorized.client":                 Code(Kind.CREDENTIALS, "the client is not authorised", "客户端未授权", alert=True),
    "unsupported.grant.type":              Code(Kind.REQUEST, "unknown grant type", "不支持的授权类型"),
    "Forbidden.AccessDenied.QpsLimitForAppkeyAndApi": Code(Kind.THROTTLE, "too many calls per second", "应用调用该接口的 QPS 超过限制", _SECOND),
    "Forbidden.AccessDenied.QpsLimitForApi": Code(Kind.THROTTLE, "DingTalk is limiting this API for everyone", "该接口发送全局流控", _SECOND),
    "Forbidden.AccessDenied.QpmLimitForAppkeyAndApi": Code(Kind.THROTTLE, "too many calls per minute", "应用调用该接口的 QPM 超过限制", _MINUTE),
    "Forbidden.AccessDenied.AccessTokenPermissionDenied": Code(Kind.PERMISSION, "the app lacks a permission", "应用没有调用该接口的权限", alert=True),
    "Forbidden.AccessDenied.IpNotInWhiteList": Code(Kind.PERMISSION, "the caller's IP is not on the app's list", "访问 IP 不在白名单中", alert=True),
    "Forbidden.AccessDenied.ApiCountLimitForOrg": Code(Kind.QUOTA, "this month's calls are used up", "本月接口调用量已用完", alert=True),
    "Missingbody":                         Code(Kind.REQUEST, "the body is missing", "缺少请求体"),
    "InvalidAction.NotFound":              Code(Kind.REQUEST, "no such API", "接口不存在"),
    "invalidParameter.user.notFound":      Code(Kind.PERSON, "no such person", "找不到该用户"),
    "invalidParameter.authCode.notFound":  Code(Kind.SIGN_IN, "the sign-in code is wrong, used or expired", "不存在的 authCode"),
    "parameter.error":                     Code(Kind.REQUEST, "invalid argument", "参数错误"),
    "server.error":                        Code(Kind.AMBIGUOUS, "unknown server error", "未知的服务端错误"),
    "unknownError":                        Code(Kind.AMBIGUOUS, "unknown server error", "未知的服务端错误"),
}

_FORBIDDEN: dict[str, Dropped] = {
    "143103":  Dropped("pace", "the app's recipients per minute were used up", "应用每分钟接收人数超限"),
    "143104":  Dropped("pace", "the organisation's recipients per minute were used up", "企业每分钟接收人数超限"),
    "143105":  Dropped("daily", "this person had the day's 500 messages of the app", "该员工当日接收该应用消息数已达上限"),
    "143106":  Dropped("duplicate", "this person had the same content today", "该员工当日已接收过相同内容"),
    "143203":  Dropped("pace", "the third-party app's recipients per minute were used up", "第三方应用每分钟接收人数超限"),
    "143204":  Dropped("pace", "the organisation's recipients per minute were used up", "企业每分钟接收第三方应用消息的人数超限"),
    "143205":  Dropped("daily", "this person had the day's messages of the third-party app", "该员工当日接收该第三方应用消息数已达上限"),
    "143206":  Dropped("duplicate", "this person had the same content today", "该员工当日已接收过相同内容"),
    "1430000": Dropped("other", "the receiver was empty", "接收人为空"),
    "1430001": Dropped("other", "unknown grant type", "未知的 grantType"),
    "1430002": Dropped("content", "forbidden words", "包含违禁内容"),
    "1430003": Dropped("protected", "DingTalk protects its system", "开放平台系统保护"),
    "1430004": Dropped("protected", "this person is protected as an executive", "高管保护"),
}
# fmt: on

CODES: Final = MappingProxyType(_TABLE)
"""Every code we know of an answer, by its effective code."""

FORBIDDEN: Final = MappingProxyType(_FORBIDDEN)
"""Every code we know of `forbidden_list`."""

_FAMILIES: Final = (
    ("isp.", _TABLE["15"]),
    ("Forbidden.AccessDenied.QpsLimit", _TABLE["Forbidden.AccessDenied.QpsLimitForApi"]),
    ("Forbidden.AccessDenied.QpmLimit", _TABLE["Forbidden.AccessDenied.QpmLimitForAppkeyAndApi"]),
)
"""Codes that are known by how they begin."""


def find(code: str) -> Code | None:
    """Look a code up: by itself, else by how it begins."""
    if code in CODES:
        return CODES[code]
    return next((row for start, row in _FAMILIES if code.startswith(start)), None)
