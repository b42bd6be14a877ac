"""The ways in which the pretend DingTalk says no."""

from dingbell.sandbox import clock

TEXTS: dict[int, str] = {
    -1: "系统繁忙",
    15: "Remote service error",
    33011: "不存在的角色",
    33012: "无效的USERID",
    34008: "图片消息为空",
    34009: "链接消息为空",
    34010: "文件消息为空",
    34011: "语音消息为空",
    34014: "消息内容格式错误",
    34016: "消息内容长度超过限制",
    40000: "access_token is blank",
    40004: "不合法的媒体文件类型",
    40005: "不合法的文件类型",
    40006: "不合法的文件大小",
    40007: "不合法的媒体文件id",
    40008: "不合法的消息类型",
    40009: "不合法的部门id",
    40014: "不合法的access_token",
    40032: "不合法的UserID列表长度",
    40035: "不合法的参数",
    40056: "不合法的agentid",
    40068: "不合法的偏移量",
    40069: "不合法的分页大小",
    40078: "不存在的临时授权码",
    40096: "不合法的appKey或appSecret",
    40104: "不合法的手机号",
    41005: "缺少多媒体文件数据",
    41029: "发送消息的人数超过限制",
    41045: "企业向全员发送消息的次数超过当日上限",
    41052: "接收者过多或消息未发送完成",
    42001: "access_token超时",
    43008: "参数需要multipart类型",
    44001: "空白的二进制包",
    45002: "消息内容超过限制",
    50002: "企业员工不在授权范围",
    60003: "部门不存在",
    60011: "没有调用该接口的权限",
    60020: "访问ip不在白名单之中",
    60121: "找不到该用户",
    400002: "参数错误",
    885001: "消息模板不存在",
    90018: "当前应用调用该接口的频率超过限制, 请稍后再试",
    90020: "当前组织本月的接口调用次数已用完",
}

# Refused by the gateway in front of the topapi services, hence wrapped in code 88.
GATEWAY_CODES = frozenset({33001, 40000, 40001, 40014, 42001, 60011, 60020, 90002, 90018})


class RefusalError(Exception):
    """A call that the old API (`/topapi`, `/gettoken`, ...) refuses with a number.

    Attributes:
        code: The effective error code.
        text: The text that goes with it.
        sub_code: Overrides the string in `sub_code`, where the envelope has one.
        hold: Real seconds the connection is held before the refusal is sent.
    """

    def __init__(
        self, code: int, text: str | None = None, *, sub_code: str | None = None, hold: float = 0.0
    ) -> None:
        self.code = code
        self.text = TEXTS.get(code, "未知错误") if text is None else text
        self.sub_code = sub_code
        self.hold = hold
        super().__init__(f"{code} {self.text}")


class ApiRefusalError(Exception):
    """A call that the new API (`/v1.0`) refuses with an HTTP status and a word."""

    def __init__(self, status: int, code: str, message: str, **extra: object) -> None:
        self.status = status
        self.code = code
        self.message = message
        self.extra = extra
        super().__init__(f"{status} {code}")


class MisuseError(ValueError):
    """The control API was asked for something it does not know; names the field."""

    def __init__(self, field: str, problem: str, *, status: int = 400) -> None:
        self.field = field
        self.status = status
        super().__init__(f"{field}: {problem}")


def missing(name: str) -> RefusalError:
    """A required argument is absent."""
    return RefusalError(40, f"Missing required arguments:{name}")


def invalid(name: str) -> RefusalError:
    """An argument has the wrong type."""
    return RefusalError(41, f"Invalid arguments:{name}")


def throttled_globally(api: str, now: float, limit: int = 1200) -> RefusalError:
    """The per-API limit that all of DingTalk's customers share, with the instant it ends."""
    started = clock.beijing_text(now)
    return RefusalError(
        90002,
        f"您的服务器调用钉钉开放平台所有接口的请求都被暂时禁用了, apiPath({api}), 从 {started} 到 "
        f"{started} 请求总次数超过 {limit} 次, 限制将在 {clock.beijing_text(now + 1)} 结束.",
    )
