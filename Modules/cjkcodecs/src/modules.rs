//! The modules that have the codecs: one a country, and that of ISO 2022.

use crate::codec::Codec;
use crate::dbcs::{Dbcs, Extra};
use crate::hz::Hz;
use crate::iso2022;
use crate::multibytecodec::getcodec;
use crate::table::Id;
use taipan_abi::*;
use taipan_clinic::{methods, module};

const fn dbcs(name: &'static core::ffi::CStr, id: Id) -> Dbcs {
    Dbcs { name, id, extra: Extra::None }
}

static GB2312: Dbcs = dbcs(c"gb2312", Id::Gb2312);
static GBK: Dbcs = dbcs(c"gbk", Id::Gbk);
static GB18030: Dbcs = Dbcs { name: c"gb18030", id: Id::Gb18030, extra: Extra::Gb18030 };
static CN: &[&dyn Codec] = &[&GB2312, &GBK, &GB18030, &Hz];

static BIG5HKSCS: Dbcs = dbcs(c"big5hkscs", Id::Big5hkscs);
static HK: &[&dyn Codec] = &[&BIG5HKSCS];

static SHIFT_JIS: Dbcs = dbcs(c"shift_jis", Id::ShiftJis);
static CP932: Dbcs = dbcs(c"cp932", Id::Cp932);
static EUC_JP: Dbcs = dbcs(c"euc_jp", Id::EucJp);
static SHIFT_JIS_2004: Dbcs = dbcs(c"shift_jis_2004", Id::ShiftJis2004);
static EUC_JIS_2004: Dbcs = dbcs(c"euc_jis_2004", Id::EucJis2004);
static EUC_JISX0213: Dbcs = dbcs(c"euc_jisx0213", Id::EucJisx0213);
static SHIFT_JISX0213: Dbcs = dbcs(c"shift_jisx0213", Id::ShiftJisx0213);
static JP: &[&dyn Codec] = &[&SHIFT_JIS, &CP932, &EUC_JP, &SHIFT_JIS_2004, &EUC_JIS_2004, &EUC_JISX0213, &SHIFT_JISX0213];

static EUC_KR: Dbcs = Dbcs { name: c"euc_kr", id: Id::EucKr, extra: Extra::EucKr };
static CP949: Dbcs = dbcs(c"cp949", Id::Cp949);
static JOHAB: Dbcs = dbcs(c"johab", Id::Johab);
static KR: &[&dyn Codec] = &[&EUC_KR, &CP949, &JOHAB];

static BIG5: Dbcs = dbcs(c"big5", Id::Big5);
static CP950: Dbcs = dbcs(c"cp950", Id::Cp950);
static TW: &[&dyn Codec] = &[&BIG5, &CP950];

static ISO2022: &[&dyn Codec] =
    &[&iso2022::KR, &iso2022::JP, &iso2022::JP_1, &iso2022::JP_2, &iso2022::JP_2004, &iso2022::JP_3, &iso2022::JP_EXT];

fn exec(_: Borrowed<'_>) -> PyResult<()> {
    Ok(())
}

macro_rules! codec_module {
    ($init:ident $name:literal $doc:literal $codecs:ident $f:ident $methods:ident) => {
        fn $f(_: (), encoding: Borrowed<'_>) -> PyResult<Owned> {
            // SAFETY: [GIL]
            unsafe { getcodec($codecs, encoding) }
        }
        methods! { static $methods = [ "getcodec($module, encoding, /)" => $f, "The codec of that name."; ]; }
        module! {
            /// Entry point.
            pub fn $init = $name, $doc, methods: $methods, exec: exec;
        }
    };
}
codec_module! { PyInit__codecs_cn "_codecs_cn" "Codecs of mainland China." CN get_cn CN_METHODS }
codec_module! { PyInit__codecs_hk "_codecs_hk" "Codecs of Hong Kong." HK get_hk HK_METHODS }
codec_module! { PyInit__codecs_iso2022 "_codecs_iso2022" "Codecs of ISO 2022." ISO2022 get_iso2022 ISO2022_METHODS }
codec_module! { PyInit__codecs_jp "_codecs_jp" "Codecs of Japan." JP get_jp JP_METHODS }
codec_module! { PyInit__codecs_kr "_codecs_kr" "Codecs of Korea." KR get_kr KR_METHODS }
codec_module! { PyInit__codecs_tw "_codecs_tw" "Codecs of Taiwan." TW get_tw TW_METHODS }
